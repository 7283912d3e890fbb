//! Reports of a training's epochs, while it runs, to whoever watches it.

use std::collections::BTreeMap;

use assay_report::{ErrorMeasure, Split};

use super::TrainingParameters;
use super::checkpoint::{ProgressRow, TrainingProgress};
use crate::event::{BestEpoch, Epoch, MOST_METRICS, Report};
use crate::stages::Context;

/// Reports epochs of a training as they are measured.
pub(super) struct EpochNews<'a> {
    context: &'a Context,
    epochs: u32,
    /// The split and the metric whose value chooses the best epoch.
    chosen_by: (Split, &'static str),
    best: Option<BestEpoch>,
    /// How many rows of the training's progress were reported.
    reported: usize,
}

impl<'a> EpochNews<'a> {
    pub(super) fn new(
        context: &'a Context,
        parameters: &TrainingParameters,
        chosen_on: Split,
    ) -> Self {
        Self {
            context,
            epochs: parameters.epochs,
            chosen_by: (
                chosen_on,
                ErrorMeasure::of(parameters.network.task()).metric,
            ),
            best: None,
            reported: 0,
        }
    }

    /// Reports the epochs of `progress` that were not reported yet; `restored` says that an earlier
    /// execution measured them.
    pub(super) fn report(&mut self, progress: &TrainingProgress, restored: bool) {
        let rows = progress.rows.get(self.reported..).unwrap_or_default();
        self.reported = progress.rows.len();
        for rows in rows.chunk_by(|(epoch, ..), (next, ..)| epoch == next) {
            let epoch = self.epoch(rows, restored);
            self.context.reporter.send(&Report::Epoch(epoch));
        }
    }

    fn epoch(&mut self, rows: &[ProgressRow], restored: bool) -> Epoch {
        let mut epoch = Epoch {
            epoch: rows.first().map_or(0, |(epoch, ..)| *epoch),
            epochs: self.epochs,
            restored,
            measured: BTreeMap::new(),
            best: None,
        };
        let (split, metric) = self.chosen_by;
        for (at, row_split, name, value) in rows {
            // JSON has no other numbers.
            if !value.is_finite() {
                continue;
            }
            if row_split == split.as_str()
                && name == metric
                && self.best.as_ref().is_none_or(|best| *value < best.value)
            {
                self.best = Some(BestEpoch {
                    epoch: *at,
                    split: row_split.clone(),
                    metric: name.clone(),
                    value: *value,
                });
            }
            let of_split = epoch.measured.entry(row_split.clone()).or_default();
            let is_measured_here = name == metric || name == assay_report::LOSS;
            if is_measured_here || of_split.len() < MOST_METRICS {
                of_split.insert(name.clone(), *value);
            }
        }
        epoch.best.clone_from(&self.best);
        epoch
    }
}
