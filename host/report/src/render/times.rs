//! The page with the times of a report's trainings: how long a step takes, and how long it takes to get to an
//! error. It lies beside a report and is no part of one.

use std::path::Path;

use assay_chart::{Axis, Mark, Plot, Point, Scale};
use maud::html;

use super::RenderError;
use super::figures::{Figure, NetworkRows, networks};
use super::html::{conditions, figure_group, page, plain_section};
use super::sections::{ABSENT, NAMES, RATIOS, Section, headings, names};
use crate::conditions::count;
use crate::file::write_atomically;
use crate::measure::ErrorMeasure;
use crate::results::ReportRow;
use crate::times::{RowTimes, TimedTraining, row_times};

/// The name of the page beside a report.
pub const TIMES: &str = "times.html";

/// Writes the times of the trainings of a report, whose rows these are, to the page [`TIMES`] in `folder`; gives
/// whether there is one: where no training has times, nothing is written.
///
/// # Errors
/// The page cannot be written.
pub fn write_times(
    folder: &Path,
    title: &str,
    rows: &[ReportRow],
    trainings: &[TimedTraining],
) -> Result<bool, RenderError> {
    let times = row_times(rows, trainings);
    if times.is_empty() {
        return Ok(false);
    }
    let title = format!("Times of {title}");
    let networks = networks(rows.iter().map(|row| (row, &[][..])));
    let figures: Vec<_> = networks
        .iter()
        .filter_map(|it| figure(it, &times))
        .collect();
    let mut hosts: Vec<_> = trainings
        .iter()
        .filter(|it| !it.epoch_ms.is_empty())
        .map(TimedTraining::machine)
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    let main = html! {
        h1 { (title) }
        (conditions(rows))
        p {
            "Measured on " (hosts.join(", ")) ", while the numbers of the report were computed. Another execution \
             takes other times and gives the same numbers, so these times are no part of the report. They are those \
             of the training passes, without the measurements after each epoch. Trainings that ran beside others \
             took longer than alone."
        }
        (plain_section(&table(&times)))
        (plain_section(&costs(&times)))
        @if !figures.is_empty() { (figure_group("Error against time", &figures)) }
    };
    write_atomically(&folder.join(TIMES), page(&title, &main).as_bytes())?;
    Ok(true)
}

fn table(times: &[RowTimes<'_>]) -> Section {
    let columns = [
        "Batch",
        "Seconds per epoch",
        "ms per step",
        "× backpropagation",
    ];
    let mut titles: Vec<_> = columns.map(str::to_owned).into();
    titles.extend(RATIOS.map(|ratio| format!("Seconds to {ratio} × lowest error")));
    let titles: Vec<_> = titles.iter().map(String::as_str).collect();
    let rows = times.iter().map(|row| {
        let mut cells = names(row.row);
        cells.extend([
            row.row.batch_size.to_string(),
            seconds(row.epoch_seconds),
            seconds(row.step_ms()),
            multiple(row.relative),
        ]);
        let lowest = lowest(row, times);
        cells.extend(RATIOS.map(|ratio| {
            let reached = row.seconds_to(ratio * lowest);
            reached.map_or(ABSENT.to_owned(), seconds)
        }));
        cells
    });
    Section {
        title: "Time per step and time to accuracy",
        definition: "The median over the epochs of all seeds, and that of a step as a multiple of backpropagation’s on \
             the same network in batches of the same size. Then how long the method trained until its mean test error \
             was at most so many times the lowest that any method had on the network; “—” where it never was."
            .to_owned(),
        names: NAMES.len(),
        texts: 0,
        headings: headings(&titles),
        rows: rows.collect(),
    }
}

fn costs(times: &[RowTimes<'_>]) -> Section {
    let rows = times.iter().map(|row| {
        let mut cells = names(row.row);
        cells.extend([
            row.multiply_adds.map_or(ABSENT.to_owned(), count),
            multiple(row.relative_multiply_adds),
            row.transports.unwrap_or(ABSENT).to_owned(),
        ]);
        cells
    });
    Section {
        title: "Multiply-adds and signals of a training step",
        definition: "For each sample, of the products of weights, feedback and inverses with the batch: those of the \
             forward pass, of what carries a signal back, and of the directions, as the plugin counted them in the \
             last epoch. They are a property of the rule and the network, the same on every machine. What is done \
             element by element is not in them, nor are the optimiser and predictions. “—” where a plugin does not \
             count. Then what layers are given to learn from beside their own activities, in the words of the plugin."
            .to_owned(),
        names: NAMES.len(),
        texts: 1,
        headings: headings(&[
            "Multiply-adds per sample",
            "× backpropagation",
            "Transports",
        ]),
        rows: rows.collect(),
    }
}

fn multiple(value: Option<f64>) -> String {
    value.map_or(ABSENT.to_owned(), |it| format!("{it:.2}"))
}

/// The lowest mean test error that any method had after an epoch on the row's network and dataset.
fn lowest(row: &RowTimes<'_>, times: &[RowTimes<'_>]) -> f64 {
    let label = &row.row.label;
    let same = times.iter().filter(|it| {
        let other = &it.row.label;
        other.dataset == label.dataset && other.network == label.network
    });
    let errors = same.flat_map(|it| &it.curve).map(|it| it.error);
    errors.fold(f64::INFINITY, f64::min)
}

/// With three digits, of whatever size.
fn seconds(value: f64) -> String {
    let decimals = match value {
        ..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

fn figure(network: &NetworkRows<'_>, times: &[RowTimes<'_>]) -> Option<Figure> {
    let lines = network.lines.iter().filter_map(|line| {
        let times = times.iter().find(|it| it.row.label == line.row.label)?;
        (!times.curve.is_empty()).then_some((line, times))
    });
    let lines: Vec<_> = lines.collect();
    let error = ErrorMeasure::of(lines.first()?.0.row.task);
    let samples = || lines.iter().flat_map(|(_, times)| &times.curve);
    let marks = lines.iter().map(|(line, times)| Mark::Line {
        style: line.style,
        points: times
            .curve
            .iter()
            .map(|it| Point::new(it.seconds, it.error))
            .collect(),
        name: line.name().to_owned(),
        is_labelled: lines.len() <= 6,
        is_stepped: false,
    });
    let words = lines.iter().filter_map(|(line, times)| {
        let last = times.curve.last()?;
        let (name, decimals) = (line.name(), error.decimals);
        let seconds = seconds(last.seconds);
        Some(format!(
            "{name}: {:.decimals$} after {seconds} s.",
            last.error
        ))
    });
    let seconds = Scale::fitting(samples().map(|it| it.seconds))?;
    let errors = Scale::fitting(samples().map(|it| it.error))?;
    let plots = vec![Plot {
        id: format!("times-{}", network.number),
        title: format!("Test {}", error.axis),
        description: format!(
            "Test {} against the time of training on {}. {}",
            error.axis,
            network.title(),
            words.collect::<Vec<_>>().join(" ")
        ),
        x: Axis::new("Seconds of training", seconds),
        y: Axis::new(format!("Test {}", error.axis), errors),
        marks: marks.collect(),
    }];
    Some(Figure {
        title: network.title(),
        note: "The test error after each epoch against the time of the training passes so far: means over seeds."
            .to_owned(),
        legend: network.legend(&plots),
        strips: Vec::new(),
        plots,
    })
}
