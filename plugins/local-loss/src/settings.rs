//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The losses of hidden layers.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Losses {
    Pred,
    Sim,
    Predsim,
}

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network, the heads and the similarity maps.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// Losses of hidden layers: `pred`, `sim` or both.
    #[schemars(with = "String", extend("enum" = ["pred", "sim", "predsim"]))]
    pub(super) losses: Losses,
    /// β, the weight of sim in `predsim`; pred has 1 − β.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) beta: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            losses: Losses::Predsim,
            beta: 0.99,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}
