//! The epochs of a training, from the rows of its metrics.

use std::collections::BTreeMap;

use assay_core::ArtifactHash;
use assay_network::Task;
use assay_report::{ErrorMeasure, LOSS};
use assay_store::Store;

use crate::event::{BestEpoch, Epoch, MOST_METRICS};
use crate::stored_training::{StoredTraining, StoredTrainingError};

/// A row of metrics: its split, its metric and the value.
pub(crate) type CurveRow<'a> = (&'a str, &'a str, f64);

/// Makes the epochs of a training, one after the other.
#[derive(Debug)]
pub(crate) struct EpochMaker {
    epochs: u32,
    /// The split and the metric whose least value chooses the best epoch.
    chosen_on: String,
    metric: &'static str,
    best: Option<BestEpoch>,
}

impl EpochMaker {
    pub(crate) fn new(epochs: u32, task: Task, chosen_on: &str) -> Self {
        Self {
            epochs,
            chosen_on: chosen_on.to_owned(),
            metric: ErrorMeasure::of(task).metric,
            best: None,
        }
    }

    /// The next epoch, which has these rows; `restored` says that an earlier execution measured it.
    pub(crate) fn epoch<'r>(
        &mut self,
        epoch: u32,
        rows: impl Iterator<Item = CurveRow<'r>>,
        restored: bool,
    ) -> Epoch {
        let mut measured: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        // JSON has no other numbers.
        for (split, metric, value) in rows.filter(|(.., value)| value.is_finite()) {
            let is_chosen_by = split == self.chosen_on && metric == self.metric;
            if is_chosen_by && self.best.as_ref().is_none_or(|best| value < best.value) {
                self.best = Some(BestEpoch {
                    epoch,
                    split: split.to_owned(),
                    metric: metric.to_owned(),
                    value,
                });
            }
            let of_split = measured.entry(split.to_owned()).or_default();
            let is_the_hosts = metric == self.metric || metric == LOSS;
            if is_the_hosts || of_split.len() < MOST_METRICS {
                of_split.insert(metric.to_owned(), value);
            }
        }
        Epoch {
            epoch,
            epochs: self.epochs,
            restored,
            measured,
            best: self.best.clone(),
        }
    }
}

/// The epochs of a training whose result is in the store.
///
/// # Errors
/// The artifact is not that of a training, or a file of it is missing or damaged.
pub fn stored_curve(
    store: &Store,
    artifact: ArtifactHash,
) -> Result<Vec<Epoch>, StoredTrainingError> {
    let StoredTraining { setup, metrics } = StoredTraining::read(store, artifact)?;
    let task = setup.parameters.network.task();
    let mut maker = EpochMaker::new(setup.parameters.epochs, task, &setup.best_chosen_on);
    let epochs = metrics.chunk_by(|row, next| row.epoch == next.epoch);
    let epochs = epochs.filter_map(|rows| {
        let epoch = rows.first()?.epoch;
        let rows = rows.iter();
        let rows = rows.map(|row| (row.split.as_str(), row.metric.as_str(), row.value));
        Some(maker.epoch(epoch, rows, true))
    });
    Ok(epochs.collect())
}
