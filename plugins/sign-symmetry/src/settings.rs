//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The magnitudes of the feedback weights.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Magnitude {
    Uniform,
    Fixed,
    Batch,
}

/// The feedback of the output layer.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Output {
    Sign,
    Transpose,
}

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// `uniform`: one magnitude for all weights of a layer (uSF). `fixed`: random magnitudes, drawn once
    /// (frSF). `batch`: random magnitudes, drawn for every batch (brSF).
    #[schemars(with = "String", extend("enum" = ["uniform", "fixed", "batch"]))]
    pub(super) magnitude: Magnitude,
    /// Feedback of the output layer: `sign`, as of every layer, or `transpose`, its true weights.
    #[schemars(with = "String", extend("enum" = ["sign", "transpose"]))]
    pub(super) output: Output,
    /// Multiplies the magnitudes.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(super) feedback_scale: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            magnitude: Magnitude::Uniform,
            output: Output::Sign,
            feedback_scale: 1.0,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}
