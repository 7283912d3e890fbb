//! The hyper-parameters.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{Configuration, Optimiser, OptimiserSettings};

/// The perturbed values.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Place {
    Activities,
    Weights,
}

/// The way to the derivative.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Estimator {
    Jvp,
    Difference,
}

/// The distribution of a direction.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) enum Values {
    Normal,
    Sign,
}

/// The hyper-parameters.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
pub(super) struct Settings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub(super) optimiser: OptimiserSettings,
    /// Perturbed values: the `activities` `a_l` of hidden layers, for each sample (node perturbation), or
    /// the `weights` and biases, once for a batch (forward gradient).
    #[schemars(with = "String", extend("enum" = ["activities", "weights"]))]
    pub(super) place: Place,
    /// Derivative along the direction: `jvp`, exact, or `difference` of two losses, for activities
    /// only.
    #[schemars(with = "String", extend("enum" = ["jvp", "difference"]))]
    pub(super) estimator: Estimator,
    /// Elements of a direction: `normal`, N(0, 1), or `sign`, −1 or 1.
    #[schemars(with = "String", extend("enum" = ["normal", "sign"]))]
    pub(super) values: Values,
    /// s, the length of the step of `difference`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(super) step: f64,
    /// K, directions whose estimates are averaged.
    #[schemars(range(min = 1, max = 10000))]
    pub(super) draws: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            place: Place::Activities,
            estimator: Estimator::Jvp,
            values: Values::Normal,
            step: 1e-2,
            draws: 1,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}
