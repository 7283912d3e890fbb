//! A host's side of an epoch: it serves batches from memory, keeps what a learner reports, and
//! notes how the learner behaves towards it.

use std::collections::BTreeMap;

use assay_abi::{Batch, Batches, ErrorCode, MOST_PASSES, Metrics, PluginError};

use crate::samples::Samples;

/// Serves batches in order, as often as the contract allows.
pub(crate) struct Epoch<'a> {
    batches: &'a [Samples],
    at: usize,
    /// The learner is asked to stop instead of being served this batch, counted over all passes.
    cancel_at: Option<usize>,
    pub(crate) conduct: Conduct,
}

/// A learner's way through the batches of an epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conduct {
    /// Batches that it was served.
    pub(crate) served: usize,
    /// Passes that it was told the end of.
    pub(crate) passes: usize,
    /// Batches that it asked for after it was told to stop.
    pub(crate) asked_on: usize,
    cancelled: bool,
}

impl<'a> Epoch<'a> {
    pub(crate) fn new(batches: &'a [Samples], cancel_at: Option<usize>) -> Self {
        Self {
            batches,
            at: 0,
            cancel_at,
            conduct: Conduct::default(),
        }
    }
}

impl Batches for Epoch<'_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        let conduct = &mut self.conduct;
        if self.cancel_at == Some(conduct.served) {
            conduct.asked_on += usize::from(conduct.cancelled);
            conduct.cancelled = true;
            return Err(PluginError::new(ErrorCode::CANCELLED, "stopped"));
        }
        if conduct.passes == MOST_PASSES as usize {
            let message = format!("the batches of an epoch are served at most {MOST_PASSES} times");
            return Err(PluginError::new(ErrorCode::HOST, message));
        }
        let Some(samples) = self.batches.get(self.at) else {
            conduct.passes += 1;
            self.at = 0;
            return Ok(None);
        };
        conduct.served += 1;
        self.at += 1;
        samples.batch().map(Some)
    }
}

/// Every value that was reported, by metric and in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recorder(pub(crate) BTreeMap<String, Vec<f64>>);

impl Metrics for Recorder {
    fn record(&mut self, name: &str, values: &[f64]) -> Result<(), PluginError> {
        self.0.entry(name.to_owned()).or_default().extend(values);
        Ok(())
    }
}

impl Recorder {
    /// The first value that is no finite number, with its metric.
    pub(crate) fn non_finite(&self) -> Option<(&str, f64)> {
        self.0.iter().find_map(|(name, values)| {
            let value = values.iter().find(|value| !value.is_finite())?;
            Some((name.as_str(), *value))
        })
    }
}
