//! Collects the metrics of steps and hands them to the host a few dozen at a time.

use assay_abi::MetricSink;

use crate::error::Error;

/// The metric that every algorithm reports for every step that updates the network.
pub(crate) const BATCH_LOSS: &str = "batch_loss";
/// The metric that algorithms with inverses report for every step that updates those.
pub(crate) const INVERSE_LOSS: &str = "inverse_loss";
/// Steps that are reported at once: often enough for progress, rare enough to cost nothing.
const REPORT_EVERY: usize = 64;

/// The losses of the steps not reported yet.
pub(super) struct Report<'a, 'sink> {
    metrics: &'a mut MetricSink<'sink>,
    pending: [(&'static str, Vec<f64>); 2],
}

impl<'a, 'sink> Report<'a, 'sink> {
    pub(super) fn new(metrics: &'a mut MetricSink<'sink>) -> Self {
        Self {
            metrics,
            pending: [BATCH_LOSS, INVERSE_LOSS]
                .map(|name| (name, Vec::with_capacity(REPORT_EVERY))),
        }
    }

    /// Adds the losses of one step.
    pub(super) fn push(&mut self, losses: Losses) -> Result<(), Error> {
        for ((_, pending), loss) in self.pending.iter_mut().zip([losses.batch, losses.inverse]) {
            pending.extend(loss);
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

/// Losses that one step measured before its update; `None` for a group that it does not update.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Losses {
    /// The mean task loss of the batch.
    pub(super) batch: Option<f64>,
    /// The sum of the inverses' losses.
    pub(super) inverse: Option<f64>,
}

impl Losses {
    /// The first that is no finite number, with its name.
    pub(super) fn non_finite(self) -> Option<(&'static str, f64)> {
        [(BATCH_LOSS, self.batch), (INVERSE_LOSS, self.inverse)]
            .into_iter()
            .filter_map(|(name, loss)| Some((name, loss?)))
            .find(|(_, loss)| !loss.is_finite())
    }
}
