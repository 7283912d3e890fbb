//! A report: trainings grouped into rows. It owns what is one row and what is refused; it never
//! reads or writes a file.

use std::collections::HashSet;
use std::sync::Arc;

use assay_network::Task;
use serde_json::Value;

use crate::conditions::Conditions;
use crate::entry::ReportEntry;
use crate::measure::ErrorMeasure;
use crate::metrics::{Split, TOP_5_ERROR};
use crate::reference::Citation;
use crate::results::{Label, ReportRow};
use crate::search::{Search, SearchSummary};
use crate::summary::{Choice, EpochRange, Quantity, Statistic, Summary, summarise};

/// Why no report can be made of the trainings given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReportError {
    /// There is nothing to report.
    #[error("a report needs at least one training, none was given")]
    Empty,
    /// A training measured no error, so that it has none of the protocol's numbers.
    #[error(
        "{label}, seed {seed} has no `{metric}` metric; train it again with an evaluation split"
    )]
    NoErrors {
        /// Which method.
        label: Label,
        /// Which training.
        seed: u64,
        /// Metric of its task's error.
        metric: &'static str,
    },
    /// The trainings are of different tasks.
    #[error(
        "{label} is a {task}, but {first} a {first_task}: their errors have different units; make a report for each"
    )]
    MixedTasks {
        /// The first training.
        first: Label,
        /// Task of its network.
        first_task: Task,
        /// The first training of another task.
        label: Label,
        /// Task of that training's network.
        task: Task,
    },
    /// Two trainings are the same in everything.
    #[error("{label} was given twice with seed {seed} and the same settings; give it once")]
    SameTraining {
        /// Which method.
        label: Label,
        /// Which training.
        seed: u64,
    },
    /// A metric has two values after one epoch.
    #[error("{label}, seed {seed} has two values of {split} error after epoch {epoch}")]
    TwoValues {
        /// Which method.
        label: Label,
        /// Which training.
        seed: u64,
        /// Which split.
        split: Split,
        /// Which epoch.
        epoch: u32,
    },
    /// An epoch outside the training.
    #[error("{label}, seed {seed} has metrics of epoch {epoch}, but trained epochs 1 to {epochs}")]
    Epoch {
        /// Which method.
        label: Label,
        /// Which training.
        seed: u64,
        /// The epoch found.
        epoch: u32,
        /// The epochs trained.
        epochs: u32,
    },
    /// An error that is no percentage.
    #[error("{label}, seed {seed} has an `{metric}` of {value}; it must be percent, 0 to 100")]
    Percent {
        /// Which method.
        label: Label,
        /// Which training.
        seed: u64,
        /// Which metric.
        metric: String,
        /// The value found.
        value: f64,
    },
}

/// A table of methods with all that its files are made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub(crate) title: String,
    pub(crate) citation: Option<Citation>,
    pub(crate) rows: Vec<ReportRow>,
    /// The trainings of each row by ascending seed.
    pub(crate) trainings: Vec<Vec<ReportEntry>>,
}

impl Report {
    /// Groups trainings that differ only in seed into rows, in order of first appearance.
    ///
    /// Where one method of one dataset and network has several settings, each is a row, and the
    /// settings that differ become part of its name.
    ///
    /// # Errors
    /// No trainings, the same training twice, several tasks, or metrics that cannot be right. Values
    /// that are not finite are no error: training may diverge, and the report shows it.
    pub fn build(title: impl Into<String>, entries: Vec<ReportEntry>) -> Result<Self, ReportError> {
        check_tasks(&entries)?;
        for entry in &entries {
            check(entry)?;
        }
        let trainings = group(entries)?;
        let labels = labels(&trainings).into_iter().zip(&trainings);
        let rows = labels.map(|((label, first), group)| row(label, first, group));
        Ok(Self {
            title: title.into(),
            citation: None,
            rows: rows.collect(),
            trainings,
        })
    }

    /// The report with its numbers beside the published figures of its entries.
    #[must_use]
    pub fn beside(mut self, citation: Citation) -> Self {
        self.citation = Some(citation);
        self
    }

    /// The rows, in order of first appearance.
    pub fn rows(&self) -> &[ReportRow] {
        &self.rows
    }

    /// The rows whose configuration came from a search, with it.
    pub(crate) fn searched(
        &self,
    ) -> impl Iterator<Item = (&ReportRow, &Arc<Search>, &SearchSummary)> {
        self.groups().filter_map(|(row, entries)| {
            let search = entries.first()?.search.as_ref()?;
            Some((row, search, row.search.as_ref()?))
        })
    }

    /// The rows with their trainings.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&ReportRow, &[ReportEntry])> {
        self.rows
            .iter()
            .zip(self.trainings.iter().map(Vec::as_slice))
    }
}

fn plain_label(entry: &ReportEntry) -> Label {
    Label {
        dataset: entry.dataset.clone(),
        network: entry.network.clone(),
        method: entry.method.clone(),
    }
}

fn check_tasks(entries: &[ReportEntry]) -> Result<(), ReportError> {
    let Some(first) = entries.first() else {
        return Err(ReportError::Empty);
    };
    match entries.iter().find(|entry| entry.task != first.task) {
        None => Ok(()),
        Some(other) => Err(ReportError::MixedTasks {
            first: plain_label(first),
            first_task: first.task,
            label: plain_label(other),
            task: other.task,
        }),
    }
}

fn check(entry: &ReportEntry) -> Result<(), ReportError> {
    let (label, seed) = (|| plain_label(entry), entry.seed);
    let error = ErrorMeasure::of(entry.task).metric;
    let mut measured = HashSet::new();
    for row in &entry.metrics {
        if !(1..=entry.epochs).contains(&row.epoch) {
            return Err(ReportError::Epoch {
                label: label(),
                seed,
                epoch: row.epoch,
                epochs: entry.epochs,
            });
        }
        if row.metric == error && !measured.insert((row.split, row.epoch)) {
            return Err(ReportError::TwoValues {
                label: label(),
                seed,
                split: row.split,
                epoch: row.epoch,
            });
        }
    }
    if measured.is_empty() && entry.diverged_in_epoch.is_none() {
        return Err(ReportError::NoErrors {
            label: label(),
            seed,
            metric: error,
        });
    }
    check_percent(entry)
}

fn check_percent(entry: &ReportEntry) -> Result<(), ReportError> {
    let error = ErrorMeasure::of(entry.task);
    let metrics = entry.metrics.iter().map(|row| (&row.metric, row.value));
    let evaluation = entry.evaluation.iter().map(|row| (&row.metric, row.value));
    for (metric, value) in metrics.chain(evaluation) {
        let is_percent = (error.is_percent && metric == error.metric) || metric == TOP_5_ERROR;
        if is_percent && value.is_finite() && !(0.0..=100.0).contains(&value) {
            return Err(ReportError::Percent {
                label: plain_label(entry),
                seed: entry.seed,
                metric: metric.clone(),
                value,
            });
        }
    }
    Ok(())
}

fn group(entries: Vec<ReportEntry>) -> Result<Vec<Vec<ReportEntry>>, ReportError> {
    let mut groups: Vec<Vec<ReportEntry>> = Vec::new();
    for entry in entries {
        let same =
            |group: &&mut Vec<ReportEntry>| group.first().is_some_and(|one| alike(one, &entry));
        match groups.iter_mut().find(same) {
            None => groups.push(vec![entry]),
            Some(group) => match group.binary_search_by_key(&entry.seed, |one| one.seed) {
                Err(place) => group.insert(place, entry),
                Ok(_) => {
                    return Err(ReportError::SameTraining {
                        label: plain_label(&entry),
                        seed: entry.seed,
                    });
                }
            },
        }
    }
    Ok(groups)
}

/// Whether two trainings differ at most in seed and outcome.
fn alike(a: &ReportEntry, b: &ReportEntry) -> bool {
    same_name(a, b)
        && a.algorithm == b.algorithm
        && a.epochs == b.epochs
        && a.batch_size == b.batch_size
        && a.conditions == b.conditions
        && a.hyperparameters == b.hyperparameters
        && a.search == b.search
}

fn same_name(a: &ReportEntry, b: &ReportEntry) -> bool {
    a.dataset == b.dataset && a.network == b.network && a.method == b.method
}

/// One label per group, with the training that stands for it: the plain one where it is unique,
/// else with the settings that differ.
fn labels(groups: &[Vec<ReportEntry>]) -> Vec<(Label, &ReportEntry)> {
    let firsts: Vec<(&ReportEntry, Vec<Setting>)> = groups
        .iter()
        .filter_map(|group| group.first())
        .map(|entry| (entry, settings(entry)))
        .collect();
    let labels = firsts.iter().map(|&(entry, ref own)| {
        let others = firsts.iter().filter(|(other, _)| same_name(other, entry));
        let others: Vec<&[Setting]> = others.map(|(_, other)| other.as_slice()).collect();
        let differing = own
            .iter()
            .filter(|one| others.iter().any(|all| !all.contains(one)));
        let differing: Vec<String> = differing
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let mut label = plain_label(entry);
        if !differing.is_empty() {
            label.method = format!("{} ({})", label.method, differing.join(", "));
        }
        (label, entry)
    });
    labels.collect()
}

type Setting = (String, Value);

/// Everything but the name that may tell two rows apart, hyper-parameters by name.
fn settings(entry: &ReportEntry) -> Vec<Setting> {
    let hyperparameters = entry.hyperparameters.clone().into_iter();
    let mut settings: Vec<Setting> = hyperparameters.collect();
    settings.sort_by(|(a, _), (b, _)| a.cmp(b));
    settings.push((
        "algorithm".to_owned(),
        Value::from(entry.algorithm.as_str()),
    ));
    settings.push(("epochs".to_owned(), Value::from(entry.epochs)));
    settings.push(("batch_size".to_owned(), Value::from(entry.batch_size)));
    let Conditions {
        train_images,
        validation_images,
        test_images,
        device,
    } = &entry.conditions;
    settings.push(("train_images".to_owned(), Value::from(*train_images)));
    settings.push((
        "validation_images".to_owned(),
        Value::from(validation_images.unwrap_or(0)),
    ));
    settings.push(("test_images".to_owned(), Value::from(*test_images)));
    settings.push(("device".to_owned(), Value::from(device.as_str())));
    settings
}

fn row(label: Label, first: &ReportEntry, group: &[ReportEntry]) -> ReportRow {
    let sound = group.iter().filter(|entry| !entry.is_diverged());
    let summaries: Vec<Summary> = sound
        .map(|entry| summarise(&entry.metrics, &entry.evaluation, entry.epochs, entry.task))
        .collect();
    let statistics = Quantity::ALL.map(|quantity| {
        let values = summaries.iter().filter_map(|one| one.get(quantity));
        Statistic::of(&values.collect::<Vec<_>>())
    });
    let search = first.search.as_ref();
    ReportRow {
        label,
        task: first.task,
        algorithm: first.algorithm.clone(),
        epochs: first.epochs,
        batch_size: first.batch_size,
        conditions: first.conditions.clone(),
        chosen_epochs: Choice::ALL
            .map(|choice| EpochRange::of(summaries.iter().filter_map(|it| it.epoch(choice)))),
        diverged_in_epoch: EpochRange::of(group.iter().filter_map(|it| it.diverged_in_epoch)),
        seeds: u32::try_from(group.len()).unwrap_or(u32::MAX),
        diverged: u32::try_from(group.len() - summaries.len()).unwrap_or(u32::MAX),
        hyperparameters: first.hyperparameters.clone(),
        figures: first.figures,
        search: search
            .map(|search| SearchSummary::of(search, |quantity| statistics[quantity as usize])),
        statistics,
    }
}
