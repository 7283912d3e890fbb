//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// Step size of the feedback weights, whose optimiser is otherwise the network's.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [1e-5, 1e-3]}))]
    pub(super) feedback_learning_rate: f64,
    /// Multiplies the first feedback weights, which are otherwise Glorot-uniform. With 0 hidden layers
    /// stand still until the feedback has learned something.
    #[schemars(range(min = 0.0))]
    pub(super) feedback_scale: f64,
}

impl Default for Settings {
    fn default() -> Self {
        let optimiser = OptimiserSettings::default();
        Self {
            feedback_learning_rate: optimiser.adam.learning_rate,
            optimiser,
            feedback_scale: 1.0,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}

impl Settings {
    pub(super) fn feedback(&self) -> OptimiserSettings {
        let mut settings = self.optimiser.clone();
        settings.adam.learning_rate = self.feedback_learning_rate;
        settings
    }
}
