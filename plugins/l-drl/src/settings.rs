//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Adam, Configuration, InverseAdam, InverseTraining, Optimiser, OptimiserSettings};

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// β, the step of the topmost target.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [1e-2, 1.0]}))]
    pub(super) beta: f64,
    /// K, steps of the inverses before each step of the network.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) inverse_steps: u32,
    /// Adam for the inverses.
    #[serde(flatten)]
    pub(super) inverse: InverseAdam,
    /// σ of both noises.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"uniform": [0.01, 0.5]}))]
    pub(super) sigma: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            beta: 0.5,
            inverse_steps: 5,
            inverse: InverseAdam::default(),
            sigma: 0.2,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }

    fn inverse_training(&self) -> Option<InverseTraining> {
        Some(InverseTraining {
            steps: self.inverse_steps,
            ..InverseTraining::new(Adam::from(self.inverse), self.sigma)
        })
    }
}
