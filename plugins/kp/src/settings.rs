//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network and of the feedback weights alike.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// Multiplies the first feedback weights, which are otherwise Glorot-uniform.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(super) feedback_scale: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings {
                weight_decay: 1e-4,
                ..OptimiserSettings::default()
            },
            feedback_scale: 1.0,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}
