//! Reports of a training's epochs, while it runs, to whoever watches it.

use assay_report::Split;

use super::TrainingParameters;
use super::checkpoint::TrainingProgress;
use crate::event::Report;
use crate::stages::Context;
use crate::stream::EpochMaker;

/// Reports epochs of a training as they are measured.
pub(super) struct EpochNews<'a> {
    context: &'a Context,
    maker: EpochMaker,
    /// How many rows of the training's progress were reported.
    reported: usize,
}

impl<'a> EpochNews<'a> {
    pub(super) fn new(
        context: &'a Context,
        parameters: &TrainingParameters,
        chosen_on: Split,
    ) -> Self {
        let task = parameters.network.task();
        Self {
            context,
            maker: EpochMaker::new(parameters.epochs, task, chosen_on.as_str()),
            reported: 0,
        }
    }

    /// Reports the epochs of `progress` that were not reported yet; `restored` says that an earlier
    /// execution measured them.
    pub(super) fn report(&mut self, progress: &TrainingProgress, restored: bool) {
        let rows = progress.rows.get(self.reported..).unwrap_or_default();
        self.reported = progress.rows.len();
        for rows in rows.chunk_by(|(epoch, ..), (next, ..)| epoch == next) {
            let Some((epoch, ..)) = rows.first() else {
                continue;
            };
            let rows = rows.iter();
            let rows =
                rows.map(|(_, split, metric, value)| (split.as_str(), metric.as_str(), *value));
            let epoch = self.maker.epoch(*epoch, rows, restored);
            self.context.reporter.send(&Report::Epoch(epoch));
        }
    }
}
