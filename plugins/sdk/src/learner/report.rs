//! Collects the metrics of steps and hands them to the host a few dozen at a time.

use assay_abi::MetricSink;

use crate::error::Error;

/// The metric that every algorithm reports for every step that updates the network.
pub(crate) const BATCH_LOSS: &str = "batch_loss";
/// The metric that algorithms with inverses report for every step that updates those.
pub(crate) const INVERSE_LOSS: &str = "inverse_loss";
/// Steps that are reported at once: often enough for progress, rare enough to cost nothing.
const REPORT_EVERY: usize = 64;

/// The metrics of the steps not reported yet.
pub(super) struct Report<'a, 'sink> {
    metrics: &'a mut MetricSink<'sink>,
    pending: Vec<(&'static str, Vec<f64>)>,
}

impl<'a, 'sink> Report<'a, 'sink> {
    /// A report of the losses and of an algorithm's `own` metrics.
    pub(super) fn new(
        metrics: &'a mut MetricSink<'sink>,
        own: &'static [(&'static str, &'static str)],
    ) -> Self {
        let names = [BATCH_LOSS, INVERSE_LOSS].into_iter();
        let names = names.chain(own.iter().map(|(name, _)| *name));
        Self {
            metrics,
            pending: names
                .map(|name| (name, Vec::with_capacity(REPORT_EVERY)))
                .collect(),
        }
    }

    /// Adds the metrics of one step.
    pub(super) fn push(&mut self, measured: &Measured) -> Result<(), Error> {
        let losses = [measured.batch, measured.inverse].into_iter();
        let values = losses.chain(measured.own.iter().copied().map(Some));
        for ((_, pending), value) in self.pending.iter_mut().zip(values) {
            pending.extend(value);
        }
        if self.pending.iter().any(|(_, it)| it.len() == REPORT_EVERY) {
            self.flush()?;
        }
        Ok(())
    }

    /// Reports everything.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        for (name, pending) in &mut self.pending {
            if !pending.is_empty() {
                self.metrics.record(name, pending)?;
                pending.clear();
            }
        }
        Ok(())
    }
}

/// Metrics of one step, measured before its update; `None` for a group that it does not update.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    /// The mean task loss of the batch.
    pub(super) batch: Option<f64>,
    /// The sum of the inverses' losses.
    pub(super) inverse: Option<f64>,
    /// The algorithm's own metrics, in the order in which it declares them.
    pub(super) own: Vec<f64>,
}

impl Measured {
    /// The first that is no finite number, with its name; `own` are the names of the algorithm's own.
    pub(super) fn non_finite(
        &self,
        own: &'static [(&'static str, &'static str)],
    ) -> Option<(&'static str, f64)> {
        let losses = [(BATCH_LOSS, self.batch), (INVERSE_LOSS, self.inverse)];
        let losses = losses
            .into_iter()
            .filter_map(|(name, loss)| Some((name, loss?)));
        let own = own
            .iter()
            .zip(&self.own)
            .map(|((name, _), value)| (*name, *value));
        losses.chain(own).find(|(_, value)| !value.is_finite())
    }
}
