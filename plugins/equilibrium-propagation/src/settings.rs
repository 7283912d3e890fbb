//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The nudges that are compared.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Nudging {
    Symmetric,
    OneSided,
}

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// β, the size of the nudge. Below 0.01 the difference of two states drowns in rounding.
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [0.01, 1.0]}))]
    pub(super) beta: f64,
    /// T1, steps of the free phase.
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) free_steps: u32,
    /// T2, steps of a nudged phase.
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) nudged_steps: u32,
    /// `symmetric`: the states at β and −β are compared; `one-sided`: the free one and that at β.
    #[schemars(with = "String", extend("enum" = ["symmetric", "one-sided"]))]
    pub(super) nudging: Nudging,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            beta: 0.1,
            free_steps: 30,
            nudged_steps: 10,
            nudging: Nudging::Symmetric,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}
