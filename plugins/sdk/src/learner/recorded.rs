//! An algorithm's own metrics in one step.

use assay_abi::{ErrorCode, PluginError};

use crate::error::Error;
use crate::operand;

/// The values of the metrics that an algorithm declares, as far as it has reported them.
pub(crate) struct Recorded {
    /// Names and descriptions.
    declared: &'static [(&'static str, &'static str)],
    values: Vec<Option<f64>>,
}

impl Recorded {
    pub(crate) fn new(declared: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            declared,
            values: vec![None; declared.len()],
        }
    }

    /// Keeps the step's value of one of them.
    ///
    /// # Errors
    /// A metric that is not declared.
    #[track_caller]
    pub(crate) fn record(&mut self, metric: &str, value: f64) -> Result<(), Error> {
        let declared = self.declared.iter().position(|(name, _)| *name == metric);
        let Some(at) = declared else {
            let message = format!("there is no metric `{metric}`");
            return Err(operand::refused(message, "declare it in `METRICS`"));
        };
        self.values[at] = Some(value);
        Ok(())
    }

    /// All values, in the order of declaration.
    ///
    /// # Errors
    /// One that `algorithm` did not report.
    pub(crate) fn values(&self, algorithm: &str) -> Result<Vec<f64>, Error> {
        let named = self.values.iter().zip(self.declared);
        let value = |(value, (name, _)): (&Option<f64>, &(&str, &str))| {
            value.ok_or_else(|| {
                let message = format!("{algorithm} reported no value of its metric `{name}`");
                let error = PluginError::new(ErrorCode::OTHER, message);
                Error::Plugin(error.with_help("it has to call `record` in every step"))
            })
        };
        named.map(value).collect()
    }
}
