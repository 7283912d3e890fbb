//! Collects the metrics of steps and hands them to the host a few dozen at a time.

use std::borrow::Cow;
use std::collections::BTreeMap;

use assay_abi::MetricSink;

use crate::error::Error;

/// The metric that every algorithm reports for every step that updates the network.
pub(crate) const BATCH_LOSS: &str = "batch_loss";
/// The metric that algorithms with inverses report for every step that updates those.
pub(crate) const INVERSE_LOSS: &str = "inverse_loss";
/// The part of the inverses of each layer l in it.
pub(crate) const LAYER_INVERSE_LOSS: &str = "inverse_loss_l";
/// Steps that are reported at once: often enough for progress, rare enough to cost nothing.
const REPORT_EVERY: usize = 64;

/// The metrics of the steps not reported yet.
pub(crate) struct Report<'a, 'sink> {
    metrics: &'a mut MetricSink<'sink>,
    /// The layers with inverses.
    layers: Vec<usize>,
    pending: Vec<(Cow<'static, str>, Vec<f64>)>,
}

impl<'a, 'sink> Report<'a, 'sink> {
    /// A report of the losses, those of inverses in these layers too, and of an algorithm's `own` metrics.
    pub(crate) fn new(
        metrics: &'a mut MetricSink<'sink>,
        layers: Vec<usize>,
        own: &'static [(&'static str, &'static str)],
    ) -> Self {
        let losses = [BATCH_LOSS, INVERSE_LOSS].map(Cow::Borrowed).into_iter();
        let of_layers = layers
            .iter()
            .map(|l| Cow::Owned(format!("{INVERSE_LOSS}_{l}")));
        let own = own.iter().map(|(name, _)| Cow::Borrowed(*name));
        let names = losses.chain(of_layers).chain(own);
        let pending = names.map(|name| (name, Vec::with_capacity(REPORT_EVERY)));
        Self {
            pending: pending.collect(),
            metrics,
            layers,
        }
    }

    /// Adds the metrics of one step.
    pub(crate) fn push(&mut self, measured: &Measured) -> Result<(), Error> {
        let losses = [measured.batch, measured.inverse].into_iter();
        let of_layers = self.layers.iter();
        let of_layers = of_layers.map(|l| measured.inverse_by_layer.get(l).copied());
        let own = measured.own.iter().copied().map(Some);
        let values = losses.chain(of_layers).chain(own);
        for ((_, pending), value) in self.pending.iter_mut().zip(values) {
            pending.extend(value);
        }
        if self.pending.iter().any(|(_, it)| it.len() == REPORT_EVERY) {
            self.flush()?;
        }
        Ok(())
    }

    /// Reports everything.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
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
pub(crate) struct Measured {
    /// The mean task loss of the batch.
    pub(crate) batch: Option<f64>,
    /// The sum of the inverses' losses.
    pub(crate) inverse: Option<f64>,
    /// The part of each layer in it.
    pub(crate) inverse_by_layer: BTreeMap<usize, f64>,
    /// The algorithm's own metrics, in the order in which it declares them.
    pub(crate) own: Vec<f64>,
}

impl Measured {
    /// The first that is no finite number, with its name; `own` are the names of the algorithm's own.
    pub(crate) fn non_finite(
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
