//! The report of a training that diverged: the first tensor that is not finite, and the error that
//! names it.

use std::fmt::Arguments;

use assay_abi::{ErrorCode, PluginError};

use super::Trainer;
use crate::error::Error;
use crate::parameters::Parameter;

impl Trainer {
    /// The first direction with a value that is not finite.
    pub(super) fn non_finite_direction(&self) -> Result<Option<String>, Error> {
        for group in self.maps().chain([self.model.parameters()]) {
            if let Some(Parameter { name, layer, .. }) = group.non_finite_gradient()? {
                return Ok(Some(format!("the direction of {name}, in layer {layer}")));
            }
        }
        Ok(None)
    }

    /// The first parameter with a value that is not finite.
    pub(super) fn non_finite_parameter(&self) -> Result<Option<&str>, Error> {
        if let Some(name) = self.model.parameters().non_finite()? {
            return Ok(Some(name));
        }
        for group in self.maps() {
            if let Some(name) = group.non_finite()? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The first tensor that is not finite after a step: a parameter, or else what a layer gave.
    pub(super) fn first_non_finite(&self) -> Result<Option<String>, Error> {
        if let Some(name) = self.non_finite_parameter()? {
            return Ok(Some(name.to_owned()));
        }
        let layer = match &self.training {
            Some(buffers) => buffers.workspace.non_finite()?,
            None => None,
        };
        Ok(layer.map(output_name))
    }
}

/// Name of the output of layer l, for messages.
pub(super) fn output_name(l: usize) -> String {
    format!("the output of layer {l}")
}

/// The error of a metric that is not finite; `place` tells the step.
pub(crate) fn diverged_metric(
    (name, value): (&str, f64),
    place: Arguments<'_>,
    tensor: Option<String>,
) -> Error {
    diverged(&format!("{name} became {value} {place}"), tensor)
}

/// The error of a direction that is not finite; `place` tells the step.
pub(crate) fn diverged_direction(place: Arguments<'_>, tensor: Option<String>) -> Error {
    let what = format!("a direction became infinite or not a number {place}");
    diverged(&what, tensor)
}

/// The error of a parameter that is not finite after an epoch of so many steps.
pub(crate) fn diverged_parameter(step: u64, epoch: u32, name: String) -> Error {
    let what = format!(
        "a parameter became infinite or not a number by step {step}, the last of epoch {epoch}"
    );
    diverged(&what, Some(name))
}

/// The error of a training that diverged; `tensor` is the first that is not finite.
pub(crate) fn diverged(what: &str, tensor: Option<String>) -> Error {
    let message = match tensor {
        Some(name) => format!("{what}; the first tensor that is not finite is {name}"),
        None => what.to_owned(),
    };
    Error::Plugin(
        PluginError::new(ErrorCode::NON_FINITE, message)
            .with_help("training diverged: try a smaller learning_rate or a larger epsilon"),
    )
}
