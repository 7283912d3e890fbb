//! The figures of a report: which there are, and what is drawn in each. The page lays them out.

mod curves;
mod errors;
mod layers;
mod reconstructions;
mod searches;
mod settings;

use std::collections::BTreeSet;

use assay_chart::{Mark, Plot, Style};

use crate::entry::ReportEntry;
use crate::report::Report;
use crate::results::ReportRow;

/// Plots under one title.
pub(super) struct Figure {
    pub(super) title: String,
    /// How to read them.
    pub(super) note: String,
    /// Looks and names, where the plots do not name their curves themselves.
    pub(super) legend: Vec<(Style, String)>,
    pub(super) plots: Vec<Plot>,
    /// Rows of images.
    pub(super) strips: Vec<Strip>,
}

/// Images beside each other.
pub(super) struct Strip {
    pub(super) name: String,
    pub(super) description: String,
    /// In pixels of the images.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) png: Vec<u8>,
}

/// The figures in groups, each with its heading.
pub(super) fn figures(report: &Report) -> Vec<(&'static str, Vec<Figure>)> {
    let networks = networks(report.groups());
    let of_each =
        |draw: fn(&NetworkRows<'_>) -> Vec<Figure>| networks.iter().flat_map(draw).collect();
    let mut groups: Vec<(_, Vec<Figure>)> = vec![
        ("Errors", of_each(errors::figures)),
        ("Errors against a setting", of_each(settings::figures)),
        ("Learning curves", of_each(curves::figures)),
        ("Alignment to backpropagation", of_each(layers::alignments)),
        ("Metrics of layers", of_each(layers::metrics)),
        ("Reconstructions", of_each(reconstructions::figures)),
        ("The searches", of_each(searches::figures)),
    ];
    groups.retain(|(_, figures)| !figures.is_empty());
    groups
}

/// The rows of one network on one dataset.
pub(super) struct NetworkRows<'a> {
    /// Counts the networks of the report from 1, for ids within the page.
    pub(super) number: usize,
    pub(super) dataset: &'a str,
    pub(super) network: &'a str,
    pub(super) lines: Vec<Line<'a>>,
}

/// A row with its trainings.
pub(super) struct Line<'a> {
    /// Counts the rows of the report from 1, for ids within the page.
    pub(super) number: usize,
    /// The looks of the row's method, the same in every figure of the report.
    pub(super) style: Style,
    pub(super) row: &'a ReportRow,
    pub(super) entries: &'a [ReportEntry],
}

impl NetworkRows<'_> {
    pub(super) fn title(&self) -> String {
        format!("{}, {}", self.dataset, self.network)
    }

    /// The looks and names of the methods that have a curve in one of the plots.
    pub(super) fn legend(&self, plots: &[Plot]) -> Vec<(Style, String)> {
        let marks = plots.iter().flat_map(|plot| &plot.marks);
        let drawn = marks.filter_map(|mark| match mark {
            Mark::Line { name, points, .. } if !points.is_empty() => Some(name.as_str()),
            _ => None,
        });
        let drawn: BTreeSet<_> = drawn.collect();
        let lines = self.lines.iter();
        let drawn = lines.filter(|line| drawn.contains(line.name()));
        drawn
            .map(|line| (line.style, line.name().to_owned()))
            .collect()
    }
}

impl Line<'_> {
    pub(super) fn name(&self) -> &str {
        &self.row.label.method
    }
}

/// The rows by dataset and network, in order of first appearance.
pub(super) fn networks<'a>(
    groups: impl Iterator<Item = (&'a ReportRow, &'a [ReportEntry])>,
) -> Vec<NetworkRows<'a>> {
    let mut methods: Vec<&str> = Vec::new();
    let mut networks: Vec<NetworkRows<'a>> = Vec::new();
    for (index, (row, entries)) in groups.enumerate() {
        let label = &row.label;
        let style = methods.iter().position(|method| *method == label.method);
        let style = style.unwrap_or_else(|| {
            methods.push(&label.method);
            methods.len() - 1
        });
        let line = Line {
            number: index + 1,
            style: Style::Method(style),
            row,
            entries,
        };
        let number = networks.len() + 1;
        let same = |one: &&mut NetworkRows<'a>| {
            one.dataset == label.dataset && one.network == label.network
        };
        match networks.iter_mut().find(same) {
            Some(network) => network.lines.push(line),
            None => networks.push(NetworkRows {
                number,
                dataset: &label.dataset,
                network: &label.network,
                lines: vec![line],
            }),
        }
    }
    networks
}
