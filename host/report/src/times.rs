//! The times of the trainings of a report: values from the results of their executions, beside the errors of
//! their artifacts. Nothing of it is in a report, whose bytes depend on no execution.

use std::collections::{BTreeMap, BTreeSet};

use crate::measure::ErrorMeasure;
use crate::metrics::Split;
use crate::results::{Label, ReportRow};
use crate::summary::Statistic;
use crate::trainings::ReportTraining;

/// A training of a report with what its result says of its execution.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedTraining {
    /// The training.
    pub training: ReportTraining,
    /// The time of the training pass of each epoch, in milliseconds; empty where that is not known.
    pub epoch_ms: Vec<u64>,
    /// The multiply-adds for each sample in its last epoch, where they are known.
    pub multiply_adds: Option<u64>,
    /// The signal that its rule gives to layers and its carrier, in a phrase, where the plugin says so.
    pub transports: Option<String>,
    /// The machine it ran on.
    pub host: String,
    /// The card that it computed on, where it did on one.
    pub card: Option<String>,
    /// How many trainings its worker trained at once, where it was not the only one.
    pub at_once: Option<u32>,
}

impl TimedTraining {
    /// The machine, with the card and the number of trainings of its worker in brackets.
    pub(crate) fn machine(&self) -> String {
        let host = &self.host;
        match (&self.card, self.at_once) {
            (None, _) => host.clone(),
            (Some(card), None) => format!("{host} ({card})"),
            (Some(card), Some(count)) => format!("{host} ({card}, {count} at once)"),
        }
    }

    /// The place it computed at, as far as that decides how long it takes: the card, and the number of trainings there.
    fn place(&self) -> Place<'_> {
        (self.card.as_deref(), self.at_once)
    }
}

/// A card, or none for the processor; and how many trainings its worker trained at once.
type Place<'a> = (Option<&'a str>, Option<u32>);

/// The algorithm that the others are compared with.
const BACKPROPAGATION: &str = "bp";

/// The times of a row, over the trainings that have them and did not diverge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowTimes<'a> {
    pub(crate) row: &'a ReportRow,
    /// The median time of an epoch's training pass, in seconds.
    pub(crate) epoch_seconds: f64,
    /// The time of a step as a multiple of that of backpropagation on the same network, dataset and device or card,
    /// in batches of the same size.
    pub(crate) relative: Option<f64>,
    /// The multiply-adds for each sample, the median over the trainings.
    pub(crate) multiply_adds: Option<u64>,
    /// They as a multiple of those of backpropagation on the same network and dataset.
    pub(crate) relative_multiply_adds: Option<f64>,
    pub(crate) transports: Option<&'a str>,
    /// The places that its trainings computed at.
    places: BTreeSet<Place<'a>>,
    /// The test error by epoch, from the first.
    pub(crate) curve: Vec<TimedError>,
}

/// The test error after an epoch, as means over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TimedError {
    /// The time of the training passes so far.
    pub(crate) seconds: f64,
    pub(crate) error: f64,
}

impl RowTimes<'_> {
    /// The steps of an epoch; the last batch may be smaller.
    fn steps(&self) -> u32 {
        let row = self.row;
        row.conditions
            .train_images
            .div_ceil(row.batch_size.max(1))
            .max(1)
    }

    /// The mean time of a step, in milliseconds.
    pub(crate) fn step_ms(&self) -> f64 {
        1000.0 * self.epoch_seconds / f64::from(self.steps())
    }

    /// The time of the training passes up to the first epoch whose error is at most `error`.
    pub(crate) fn seconds_to(&self, error: f64) -> Option<f64> {
        let mut curve = self.curve.iter();
        let reached = curve.find(|it| it.error <= error)?;
        Some(reached.seconds)
    }
}

/// The times of the rows that have some, in the order of the rows.
pub(crate) fn row_times<'a>(
    rows: &'a [ReportRow],
    trainings: &'a [TimedTraining],
) -> Vec<RowTimes<'a>> {
    let mut by_label = BTreeMap::<&Label, Vec<&TimedTraining>>::new();
    for timed in trainings {
        if !timed.training.diverged && !timed.epoch_ms.is_empty() {
            let label = &timed.training.label;
            by_label.entry(label).or_default().push(timed);
        }
    }
    let times = rows.iter().filter_map(|row| {
        let trainings = by_label.get(&row.label)?;
        let mut epochs: Vec<_> = trainings.iter().flat_map(|it| &it.epoch_ms).collect();
        epochs.sort_unstable();
        let mut multiply_adds: Vec<_> =
            trainings.iter().filter_map(|it| it.multiply_adds).collect();
        multiply_adds.sort_unstable();
        Some(RowTimes {
            row,
            epoch_seconds: **epochs.get(epochs.len() / 2)? as f64 / 1000.0,
            relative: None,
            multiply_adds: multiply_adds.get(multiply_adds.len() / 2).copied(),
            relative_multiply_adds: None,
            transports: trainings.iter().find_map(|it| it.transports.as_deref()),
            places: trainings.iter().map(|it| it.place()).collect(),
            curve: curve(row, trainings),
        })
    });
    let mut times: Vec<_> = times.collect();
    let relative: Vec<_> = times
        .iter()
        .map(|it| (relative_time(it, &times), relative_cost(it, &times)))
        .collect();
    for (times, (time, cost)) in times.iter_mut().zip(relative) {
        (times.relative, times.relative_multiply_adds) = (time, cost);
    }
    times
}

/// The rows of backpropagation on the network and dataset of `own`.
fn backpropagation<'a>(
    own: &'a ReportRow,
    all: &'a [RowTimes<'_>],
) -> impl Iterator<Item = &'a RowTimes<'a>> {
    all.iter().filter(|other| {
        let row = other.row;
        row.algorithm == BACKPROPAGATION
            && row.label.dataset == own.label.dataset
            && row.label.network == own.label.network
    })
}

fn relative_time(times: &RowTimes<'_>, all: &[RowTimes<'_>]) -> Option<f64> {
    let own = times.row;
    let reference = backpropagation(own, all).find(|other| {
        let row = other.row;
        row.batch_size == own.batch_size
            && row.conditions.device == own.conditions.device
            && other.places == times.places
    })?;
    let relative = times.step_ms() / reference.step_ms();
    relative.is_finite().then_some(relative)
}

fn relative_cost(times: &RowTimes<'_>, all: &[RowTimes<'_>]) -> Option<f64> {
    let reference = backpropagation(times.row, all).find_map(|other| other.multiply_adds)?;
    let relative = times.multiply_adds? as f64 / reference as f64;
    relative.is_finite().then_some(relative)
}

/// The mean test error against the mean time, by epoch, up to the last epoch that every training has.
fn curve(row: &ReportRow, trainings: &[&TimedTraining]) -> Vec<TimedError> {
    let error = ErrorMeasure::of(row.task).metric;
    let errors: Vec<BTreeMap<_, _>> = trainings
        .iter()
        .map(|timed| {
            let rows = timed.training.metrics.iter();
            let rows = rows.filter(|it| it.split == Split::Test && it.metric == error);
            rows.map(|it| (it.epoch, it.value)).collect()
        })
        .collect();
    let mut seconds = vec![0.0; trainings.len()];
    let epochs = trainings.iter().map(|it| it.epoch_ms.len()).min();
    let samples = (0..epochs.unwrap_or(0)).map_while(|index| {
        for (seconds, timed) in seconds.iter_mut().zip(trainings) {
            *seconds += timed.epoch_ms[index] as f64 / 1000.0;
        }
        let epoch = u32::try_from(index + 1).ok()?;
        let errors = errors.iter().map(|errors| errors.get(&epoch).copied());
        let errors: Option<Vec<_>> = errors.collect();
        Some(TimedError {
            seconds: Statistic::of(&seconds)?.mean,
            error: Statistic::of(&errors?)?.mean,
        })
    });
    samples.collect()
}
