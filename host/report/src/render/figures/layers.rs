//! Measurements of each layer against epoch: the angle between the directions of each method and of
//! backpropagation, and the metrics of layers that plugins report, such as the losses of inverses.

use std::collections::{BTreeMap, BTreeSet};

use assay_chart::{Axis, Plot, Scale};

use super::curves::{band, mean, title_of};
use super::{Figure, Line, NetworkRows};
use crate::curve::{Sample, curve};
use crate::metrics::{ALIGNMENT, Split, family_and_layer, layer_metric};

const ANGLE: &str = "Angle, degrees";

/// The figure of the angles, where they were measured.
pub(super) fn alignments(network: &NetworkRows<'_>) -> Vec<Figure> {
    let measured = measured(network);
    let layers = measured.get(ALIGNMENT).into_iter().flatten();
    let angle = Quantity {
        id: "alignment",
        axis: ANGLE.to_owned(),
        subject: "Angle to backpropagation".to_owned(),
        unit: " in degrees",
        decimals: 1,
        scale: |values| {
            // Both the gradient's own angle and a right angle are always to be seen.
            let highest = values.iter().copied().fold(90.0, f64::max);
            Scale::linear([0.0, highest])
        },
    };
    let plots = layers.filter_map(|&l| {
        let angles = |line: &Line<'_>| angles(line, l);
        plot(network, &angle, l, angles)
    });
    let note = "The angle between the direction of a layer's weights and the gradient, on the first batch of the \
                training images in the state after each epoch: 0 is the gradient itself, 90 no relation to it.";
    figure(network, network.title(), note, plots.collect())
}

/// A figure for each metric of layers that plugins report.
pub(super) fn metrics(network: &NetworkRows<'_>) -> Vec<Figure> {
    let measured = measured(network).into_iter();
    let reported = measured.filter(|(family, _)| *family != ALIGNMENT);
    let figures = reported.flat_map(|(family, layers)| {
        let title = title_of(family);
        let metric = Quantity {
            id: family,
            axis: title.clone(),
            subject: title.clone(),
            unit: "",
            decimals: 4,
            scale: |values| Scale::fitting(values.to_vec()),
        };
        let plots = layers.into_iter().filter_map(|l| {
            let name = layer_metric(family, l);
            let values = |line: &Line<'_>| curve(line.entries, Split::Train, &name);
            plot(network, &metric, l, values)
        });
        let note = "Reported by the plugin for each layer: the mean over the steps of an epoch.";
        let title = format!("{title}, {}", network.title());
        figure(network, title, note, plots.collect())
    });
    figures.collect()
}

/// The layers of each metric of layers that was measured on the training images.
fn measured<'a>(network: &NetworkRows<'a>) -> BTreeMap<&'a str, BTreeSet<usize>> {
    let rows = network.lines.iter().flat_map(|line| line.entries);
    let rows = rows.flat_map(|entry| &entry.metrics);
    let mut measured: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for row in rows.filter(|row| row.split == Split::Train) {
        if let Some((family, l)) = family_and_layer(&row.metric) {
            measured.entry(family).or_default().insert(l);
        }
    }
    measured
}

fn figure(network: &NetworkRows<'_>, title: String, note: &str, plots: Vec<Plot>) -> Vec<Figure> {
    if plots.is_empty() {
        return Vec::new();
    }
    vec![Figure {
        title,
        note: format!(
            "{note} Lines are means over seeds; bands reach from the lowest seed to the highest."
        ),
        legend: network.legend(&plots),
        plots,
        strips: Vec::new(),
    }]
}

/// A quantity of layers, as its figure names and scales it.
struct Quantity<'a> {
    /// The beginning of the ids of its plots.
    id: &'a str,
    axis: String,
    subject: String,
    unit: &'static str,
    /// The decimals of its values in words.
    decimals: usize,
    /// The scale for some values; none if there are none that it can show.
    scale: fn(&[f64]) -> Option<Scale>,
}

/// All methods in one panel for layer l, whose values `samples` gives.
fn plot(
    network: &NetworkRows<'_>,
    quantity: &Quantity<'_>,
    l: usize,
    samples: impl Fn(&Line<'_>) -> Vec<Sample>,
) -> Option<Plot> {
    let curves: Vec<_> = network
        .lines
        .iter()
        .map(|line| (line, samples(line)))
        .filter(|(_, curve)| !curve.is_empty())
        .collect();
    let samples = || curves.iter().flat_map(|(_, curve)| curve);
    let epochs = samples().map(|sample| sample.epoch).max()?;
    let values = samples().flat_map(|sample| [sample.lowest, sample.highest]);
    let scale = (quantity.scale)(&values.collect::<Vec<_>>())?;
    let bands = curves
        .iter()
        .filter_map(|(line, curve)| band(line.style, curve));
    let means = curves
        .iter()
        .map(|(line, curve)| mean(line.style, curve, line.name(), false));
    let words = curves.iter().filter_map(|(line, curve)| {
        let (first, last) = (curve.first()?, curve.last()?);
        let decimals = quantity.decimals;
        Some(format!(
            "{}: {:.decimals$} after epoch {}, {:.decimals$} after epoch {}.",
            line.name(),
            first.mean,
            first.epoch,
            last.mean,
            last.epoch
        ))
    });
    Some(Plot {
        id: format!("{}-{}-{l}", quantity.id, network.number),
        title: format!("Layer {l}"),
        description: format!(
            "{} of layer {l}{} against epoch on {}. {}",
            quantity.subject,
            quantity.unit,
            network.title(),
            words.collect::<Vec<_>>().join(" ")
        ),
        x: Axis::new("Epoch", Scale::count(epochs)),
        y: Axis::new(quantity.axis.clone(), scale),
        marks: bands.chain(means).collect(),
    })
}

/// The angles of layer l over the seeds of the line: the mean is that of the cosines.
fn angles(line: &Line<'_>, l: usize) -> Vec<Sample> {
    let cosines = curve(line.entries, Split::Train, &layer_metric(ALIGNMENT, l));
    let degrees = |cosine: f64| cosine.acos().to_degrees();
    let angles = cosines.into_iter().map(|sample| Sample {
        epoch: sample.epoch,
        mean: degrees(sample.mean),
        lowest: degrees(sample.highest),
        highest: degrees(sample.lowest),
    });
    angles.collect()
}
