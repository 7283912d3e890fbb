//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The way to a prediction.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Prediction {
    Readout,
    Goodness,
}

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network and of the label's map.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// θ, the mean square of activity at which a layer is undecided. Units of tanh keep it below 1, and have
    /// about 0.4 at first if their sums have variance 1; `relu` units may have more.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"uniform": [0.1, 0.9]}))]
    pub(super) threshold: f64,
    /// Prediction: `readout`, by the output layer; `goodness`, the class with which hidden layers above
    /// the first are most active.
    #[schemars(with = "String", extend("enum" = ["readout", "goodness"]))]
    pub(super) prediction: Prediction,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            threshold: 0.4,
            prediction: Prediction::Readout,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}
