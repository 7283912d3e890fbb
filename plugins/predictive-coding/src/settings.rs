//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The predictions that activities settle against.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Mode {
    Strict,
    Incremental,
    FixedPrediction,
}

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// Predictions: `strict`, from the activities as they settle; `incremental`, those too, and the weights
    /// learn after every step; `fixed-prediction`, of the forward pass.
    #[schemars(with = "String", extend("enum" = ["strict", "incremental", "fixed-prediction"]))]
    pub(super) mode: Mode,
    /// T, the steps in which activities settle. The error reaches one layer further down in each.
    #[schemars(range(min = 0, max = 10000))]
    pub(super) settling_steps: u32,
    /// γ, the size of such a step.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [0.01, 1.0]}))]
    pub(super) settling_rate: f64,
    /// β, the weight of the loss in the energy; directions are divided by it.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(super) beta: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            mode: Mode::Strict,
            settling_steps: 20,
            settling_rate: 0.1,
            beta: 1.0,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }

    fn updates_per_batch(&self) -> u32 {
        match self.mode {
            Mode::Incremental => self.settling_steps.max(1),
            Mode::Strict | Mode::FixedPrediction => 1,
        }
    }
}
