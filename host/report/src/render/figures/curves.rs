//! Learning curves: errors, losses and other metrics of trainings against epoch.

use assay_chart::{Axis, Mark, Plot, Point, Scale, Style};

use super::{Figure, Line, NetworkRows};
use crate::curve::{Sample, curve};
use crate::measure::ErrorMeasure;
use crate::metrics::{BATCH_LOSS, LOSS, Split, family_and_layer};
use crate::results::ReportRow;

/// The most methods that share a panel; of more, each has its own.
const MOST: usize = 6;

/// A metric on a split, as a panel shows it.
struct Panel {
    split: Split,
    metric: String,
    title: String,
}

pub(super) fn figures(network: &NetworkRows<'_>) -> Vec<Figure> {
    let Some(first) = network.lines.first() else {
        return Vec::new();
    };
    let error = ErrorMeasure::of(first.row.task);
    let errors = [
        (Split::Validation, "Validation"),
        (Split::Test, "Test"),
        (Split::Train, "Train"),
    ];
    let errors = errors.map(|(split, name)| Panel {
        split,
        metric: error.metric.to_owned(),
        title: format!("{name} {}", error.axis),
    });
    let losses = [(Split::Validation, "Validation"), (Split::Train, "Train")];
    let losses = losses.map(|(split, name)| Panel {
        split,
        metric: LOSS.to_owned(),
        title: format!("{name} loss"),
    });
    let panels = errors.into_iter().chain(losses).chain(others(network));
    let is_crowded = network.lines.len() > MOST;
    let together: Vec<_> = panels
        .filter_map(|panel| together(network, &panel, !is_crowded))
        .collect();
    if together.is_empty() {
        return Vec::new();
    }
    let mut figures = Vec::new();
    if is_crowded {
        figures.push(Figure {
            title: format!("{}, each method", network.title()),
            note: "The test error of each method by epoch, with a band from the lowest seed to the highest; \
                   grey: its train error."
                .to_owned(),
            legend: Vec::new(),
            strips: Vec::new(),
            plots: apart(network, error),
        });
    }
    figures.push(Figure {
        title: network.title(),
        note: "Lines are means over seeds; bands reach from the lowest seed to the highest."
            .to_owned(),
        legend: network.legend(&together),
        strips: Vec::new(),
        plots: together,
    });
    figures
}

/// Metrics on the training set that only some algorithms have, such as the error of inverses; those of
/// layers have figures of their own.
fn others(network: &NetworkRows<'_>) -> Vec<Panel> {
    let error = network
        .lines
        .first()
        .map(|line| ErrorMeasure::of(line.row.task).metric);
    let rows = network.lines.iter().flat_map(|line| line.entries);
    let rows = rows.flat_map(|entry| &entry.metrics);
    let others = rows.filter(|row| {
        let name = row.metric.as_str();
        row.split == Split::Train
            && ![LOSS, BATCH_LOSS].contains(&name)
            && Some(name) != error
            && family_and_layer(name).is_none()
    });
    let mut names: Vec<_> = others.map(|row| row.metric.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let panels = names.into_iter().map(|metric| Panel {
        split: Split::Train,
        metric: metric.to_owned(),
        title: title_of(metric),
    });
    panels.collect()
}

/// A metric's name as a title: `Inverse loss` for `inverse_loss`.
pub(super) fn title_of(metric: &str) -> String {
    let words = metric.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// All methods in one panel; nothing where none has the metric.
fn together(network: &NetworkRows<'_>, panel: &Panel, is_labelled: bool) -> Option<Plot> {
    let curves: Vec<_> = network
        .lines
        .iter()
        .map(|line| (line, curve(line.entries, panel.split, &panel.metric)))
        .collect();
    let samples = || curves.iter().flat_map(|(_, curve)| curve);
    let values = samples().flat_map(|sample| [sample.lowest, sample.highest]);
    let scale = Scale::fitting(values.collect::<Vec<_>>())?;
    let epochs = samples().map(|sample| sample.epoch).max()?;
    let mut marks = Vec::new();
    for (line, curve) in &curves {
        marks.extend(band(line.style, curve));
    }
    for (line, curve) in &curves {
        marks.push(mean(line.style, curve, line.name(), is_labelled));
    }
    let known = curves.iter().filter(|(_, curve)| !curve.is_empty());
    let words = known.map(|(line, curve)| describe(line.row, line.name(), curve));
    Some(Plot {
        id: format!("curves-{}-{}-{}", network.number, panel.split, panel.metric),
        title: panel.title.clone(),
        description: format!(
            "{} against epoch on {}. {}",
            panel.title,
            network.title(),
            words.collect::<Vec<_>>().join(" ")
        ),
        x: Axis::new("Epoch", Scale::count(epochs)),
        y: Axis::new(panel.title.clone(), scale),
        marks,
    })
}

/// One panel for each method, all with the same scales.
fn apart(network: &NetworkRows<'_>, error: &ErrorMeasure) -> Vec<Plot> {
    let of = |line: &Line<'_>, split| curve(line.entries, split, error.metric);
    let curves: Vec<_> = network
        .lines
        .iter()
        .map(|line| (line, of(line, Split::Test), of(line, Split::Train)))
        .collect();
    let samples = || {
        curves
            .iter()
            .flat_map(|(_, test, train)| test.iter().chain(train))
    };
    // The train errors, which may be far lower, end at the edge.
    let tests = curves.iter().flat_map(|(_, test, _)| test);
    let values: Vec<_> = tests
        .flat_map(|sample| [sample.lowest, sample.highest])
        .collect();
    let (Some(scale), Some(epochs)) = (
        Scale::fitting(values),
        samples().map(|sample| sample.epoch).max(),
    ) else {
        return Vec::new();
    };
    let plots = curves.iter().map(|(line, test, train)| Plot {
        id: format!("method-{}", line.number),
        title: line.name().to_owned(),
        description: format!(
            "Test {} against epoch on {}. {}",
            error.axis,
            network.title(),
            describe(line.row, line.name(), test)
        ),
        x: Axis::new("Epoch", Scale::count(epochs)),
        y: Axis::new(error.axis, scale.clone()),
        marks: [
            band(line.style, test),
            Some(mean(Style::Muted, train, "train", false)),
            Some(mean(line.style, test, "test", false)),
        ]
        .into_iter()
        .flatten()
        .collect(),
    });
    plots.collect()
}

pub(super) fn band(style: Style, curve: &[Sample]) -> Option<Mark> {
    let has_spread = curve.iter().any(|sample| sample.lowest < sample.highest);
    has_spread.then(|| Mark::Band {
        style,
        points: curve
            .iter()
            .map(|sample| (f64::from(sample.epoch), sample.lowest, sample.highest))
            .collect(),
    })
}

pub(super) fn mean(style: Style, curve: &[Sample], name: &str, is_labelled: bool) -> Mark {
    let points = curve.iter();
    Mark::Line {
        style,
        points: points
            .map(|sample| Point::new(f64::from(sample.epoch), sample.mean))
            .collect(),
        name: name.to_owned(),
        is_labelled,
        is_stepped: false,
    }
}

/// The curve in words: where it starts and ends.
fn describe(row: &ReportRow, name: &str, curve: &[Sample]) -> String {
    let decimals = ErrorMeasure::of(row.task).decimals;
    match curve {
        [] => format!("{name}: not measured."),
        [only] => format!(
            "{name}: {:.decimals$} after epoch {}.",
            only.mean, only.epoch
        ),
        [first, .., last] => format!(
            "{name}: {:.decimals$} after epoch {}, {:.decimals$} after epoch {}.",
            first.mean, first.epoch, last.mean, last.epoch
        ),
    }
}
