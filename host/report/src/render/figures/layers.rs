//! The angle between each method's directions and backpropagation's, layer by layer, against epoch.

use assay_chart::{Axis, Plot, Scale};

use super::curves::{band, mean};
use super::{Figure, Line, NetworkRows};
use crate::curve::{Sample, curve};
use crate::metrics::{Split, aligned_layer, alignment_metric};

const AXIS: &str = "Angle, degrees";

pub(super) fn figures(network: &NetworkRows<'_>) -> Vec<Figure> {
    let rows = network.lines.iter().flat_map(|line| line.entries);
    let rows = rows.flat_map(|entry| &entry.metrics);
    let mut layers: Vec<_> = rows.filter_map(|row| aligned_layer(&row.metric)).collect();
    layers.sort_unstable();
    layers.dedup();
    let plots: Vec<_> = layers
        .into_iter()
        .filter_map(|l| plot(network, l))
        .collect();
    if plots.is_empty() {
        return Vec::new();
    }
    vec![Figure {
        title: network.title(),
        note: "The angle between the direction of a layer's weights and the gradient, on the first batch of the \
               training images in the state after each epoch: 0 is the gradient itself, 90 no relation to it. \
               Lines are means over seeds; bands reach from the lowest seed to the highest."
            .to_owned(),
        legend: network.legend(),
        plots,
        strips: Vec::new(),
    }]
}

/// All methods in one panel for layer l.
fn plot(network: &NetworkRows<'_>, l: usize) -> Option<Plot> {
    let curves: Vec<_> = network
        .lines
        .iter()
        .map(|line| (line, angles(line, l)))
        .filter(|(_, curve)| !curve.is_empty())
        .collect();
    let samples = || curves.iter().flat_map(|(_, curve)| curve);
    let epochs = samples().map(|sample| sample.epoch).max()?;
    // Both the gradient's own angle and a right angle are always to be seen.
    let highest = samples().map(|sample| sample.highest).fold(90.0, f64::max);
    let bands = curves
        .iter()
        .filter_map(|(line, curve)| band(line.style, curve));
    let means = curves
        .iter()
        .map(|(line, curve)| mean(line.style, curve, line.name(), false));
    let words = curves.iter().filter_map(|(line, curve)| {
        let (first, last) = (curve.first()?, curve.last()?);
        Some(format!(
            "{}: {:.1} after epoch {}, {:.1} after epoch {}.",
            line.name(),
            first.mean,
            first.epoch,
            last.mean,
            last.epoch
        ))
    });
    Some(Plot {
        id: format!("alignment-{}-{l}", network.number),
        title: format!("Layer {l}"),
        description: format!(
            "Angle to backpropagation of layer {l} in degrees against epoch on {}. {}",
            network.title(),
            words.collect::<Vec<_>>().join(" ")
        ),
        x: Axis::new("Epoch", Scale::count(epochs)),
        y: Axis::new(AXIS, Scale::linear([0.0, highest])?),
        marks: bands.chain(means).collect(),
    })
}

/// The angles of layer l over the seeds of the line: the mean is that of the cosines.
fn angles(line: &Line<'_>, l: usize) -> Vec<Sample> {
    let cosines = curve(line.entries, Split::Train, &alignment_metric(l));
    let degrees = |cosine: f64| cosine.acos().to_degrees();
    let angles = cosines.into_iter().map(|sample| Sample {
        epoch: sample.epoch,
        mean: degrees(sample.mean),
        lowest: degrees(sample.highest),
        highest: degrees(sample.lowest),
    });
    angles.collect()
}
