//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The presynaptic factor of hidden layers.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Presynaptic {
    Modulated,
    Plain,
    TimeLocal,
}

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// F is uniform on ± this times `√(6/n_0)`.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [0.01, 0.5]}))]
    pub(super) feedback_scale: f64,
    /// Activity below a hidden layer in its direction: `modulated`, of the second pass; `plain`, of the
    /// first; `time-local`, of each pass with that pass's own activity above.
    #[schemars(with = "String", extend("enum" = ["modulated", "plain", "time-local"]))]
    pub(super) presynaptic: Presynaptic,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            feedback_scale: 0.05,
            presynaptic: Presynaptic::Modulated,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}
