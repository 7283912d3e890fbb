//! The test errors of all methods at a glance: means with their intervals, single trainings, and what was
//! published.

use assay_chart::{Axis, Mark, Plot, Point, Scale, Style};
use assay_statistics::Sample;

use super::{Figure, NetworkRows};
use crate::measure::ErrorMeasure;
use crate::render::selection::leading;
use crate::summary::summarise;

pub(super) fn figures(network: &NetworkRows<'_>) -> Vec<Figure> {
    let rows = network.lines.iter().map(|line| line.row);
    let (Some(first), Some((quantity, epoch))) = (network.lines.first(), leading(rows)) else {
        return Vec::new();
    };
    let mut marks = Vec::new();
    let mut values = Vec::new();
    let mut words = Vec::new();
    let mut is_published = false;
    for (at, line) in network.lines.iter().enumerate() {
        let y = at as f64;
        let decimals = ErrorMeasure::of(line.row.task).decimals;
        let sound = line.entries.iter().filter(|entry| !entry.is_diverged());
        let errors = sound.filter_map(|entry| {
            let summary = summarise(&entry.metrics, &entry.evaluation, entry.epochs, entry.task);
            summary.get(quantity)
        });
        let errors: Vec<_> = errors.collect();
        let sample = Sample::new(errors.iter().copied());
        if let Some(interval) = sample.as_ref().and_then(Sample::mean_interval) {
            // An error is not below zero, whatever Student says.
            let low = interval.low.max(0.0);
            values.extend([low, interval.high]);
            marks.push(Mark::Segment {
                style: line.style,
                from: Point::new(low, y),
                to: Point::new(interval.high, y),
            });
        }
        if errors.len() > 1 {
            let points = errors.iter().map(|error| Point::new(*error, y));
            marks.push(Mark::Dots {
                style: Style::Muted,
                points: points.collect(),
            });
        }
        values.extend(&errors);
        let published = line.row.figures.and_then(|figures| figures.test_error);
        if let Some(figure) = published {
            is_published = true;
            values.push(figure);
            marks.push(Mark::Dot {
                style: Style::Muted,
                at: Point::new(figure, y),
                title: format!("{}, published: {figure:.decimals$}", line.name()),
                is_hollow: true,
            });
        }
        match sample {
            None => words.push(format!("{}: none, it diverged.", line.name())),
            Some(sample) => {
                let mean = sample.mean();
                words.push(format!("{}: {mean:.decimals$}.", line.name()));
                marks.push(Mark::Dot {
                    style: line.style,
                    at: Point::new(mean, y),
                    title: format!("{}, mean: {mean:.decimals$}", line.name()),
                    is_hollow: false,
                });
            }
        }
    }
    let Some(scale) = Scale::fitting(values) else {
        return Vec::new();
    };
    let error = ErrorMeasure::of(first.row.task);
    let names = network.lines.iter().map(|line| line.name().to_owned());
    let hollow = if is_published {
        " Hollow: what was published, which is of the best test epoch."
    } else {
        ""
    };
    vec![Figure {
        title: network.title(),
        note: format!(
            "Means over seeds with their 95 % intervals for new seeds, from three seeds on; grey: the single \
             trainings.{hollow}"
        ),
        legend: Vec::new(),
        strips: Vec::new(),
        plots: vec![Plot {
            id: format!("errors-{}", network.number),
            title: format!("Test {}, {epoch} epoch", error.axis),
            description: format!("Test errors on {}. {}", network.title(), words.join(" ")),
            x: Axis::new(format!("Test {}", error.axis), scale),
            y: Axis::new("Method", Scale::Names(names.collect())),
            marks,
        }],
    }]
}
