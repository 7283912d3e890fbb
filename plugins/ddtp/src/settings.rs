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
    /// t, the step of the logits' target.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [1e-3, 1.0]}))]
    pub(super) target_step: f64,
    /// Adam for Q.
    #[serde(flatten)]
    pub(super) inverse: InverseAdam,
    /// wd, which pulls Q to zero through its direction.
    #[schemars(range(min = 0.0))]
    pub(super) inverse_decay: f64,
    /// σ of the noise that Q is trained with. Δ is a difference of nearly equal numbers: below 1e-3
    /// rounding shows.
    #[schemars(range(min = 1e-4), extend("search" = {"log_uniform": [1e-3, 0.3]}))]
    pub(super) sigma: f64,
    /// The first epochs, in which Q alone is trained.
    pub(super) inverse_epochs: u32,
    /// Random features of the logits (RHL); 0 for the linear map.
    #[schemars(range(max = 65536))]
    pub(super) random_units: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            target_step: 0.061,
            inverse: InverseAdam::default(),
            inverse_decay: 1e-6,
            sigma: 0.091,
            inverse_epochs: 0,
            random_units: 0,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }

    fn inverse_training(&self) -> Option<InverseTraining> {
        Some(InverseTraining {
            epochs_alone: self.inverse_epochs,
            ..InverseTraining::new(Adam::from(self.inverse), self.sigma)
        })
    }
}
