//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, InverseTraining, Optimiser, OptimiserSettings};

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// η, the part of `⟨ε uᵀ⟩` that a mirror step adds to B.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [1e-2, 1e2]}))]
    pub(super) mirror_rate: f64,
    /// λ, the part of B that a mirror step takes away.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub(super) mirror_forgetting: f64,
    /// σ of the noise.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"uniform": [0.01, 0.5]}))]
    pub(super) sigma: f64,
    /// The first epochs, in which B alone is trained.
    pub(super) mirror_epochs: u32,
    /// Multiplies the first feedback weights, which are otherwise Glorot-uniform.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(super) feedback_scale: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            mirror_rate: 1.0,
            mirror_forgetting: 0.01,
            sigma: 0.1,
            mirror_epochs: 0,
            feedback_scale: 1.0,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }

    fn inverse_training(&self) -> Option<InverseTraining> {
        Some(InverseTraining {
            epochs_alone: self.mirror_epochs,
            // The direction of B is the whole of its step.
            ..InverseTraining::new(Optimiser::descent(1.0, 0.0), self.sigma)
        })
    }
}
