//! The trait of an algorithm's hyper-parameters, and the hyper-parameters that several algorithms
//! share; those of target propagation lie in its own module.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::maps::InverseTraining;
use crate::optimiser::{Adam, Optimiser, OptimiserSettings};

/// The hyper-parameters of an algorithm: a struct whose fields all have a default and a doc
/// comment, which become the schema that the host checks pipeline files against. Unknown keys and
/// values outside a field's `range` are refused before this type is made.
pub trait Configuration: Serialize + DeserializeOwned + JsonSchema + Default {
    /// The optimiser of the network's weights and biases.
    fn optimiser(&self) -> Optimiser;

    /// The training of the maps that take steps of their own, such as inverses; `None` for an
    /// algorithm without any.
    fn inverse_training(&self) -> Option<InverseTraining> {
        None
    }

    /// Updates of the network for every batch, each from directions of its own
    /// ([`Pass::update`](crate::Pass::update)); at least 1. Directions that are only asked for are those of
    /// the first.
    fn updates_per_batch(&self) -> u32 {
        1
    }
}

/// An algorithm with no hyper-parameters of its own.
impl Configuration for Adam {
    fn optimiser(&self) -> Optimiser {
        (*self).into()
    }
}

/// The hyper-parameters of an algorithm with fixed random feedback weights.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackSettings {
    /// Adam for the network.
    #[serde(flatten)]
    pub adam: Adam,
    /// Multiplies the feedback weights, which are otherwise Glorot-uniform, as the network's own
    /// weights are at first.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub feedback_scale: f64,
}

impl Default for FeedbackSettings {
    fn default() -> Self {
        Self {
            adam: Adam::default(),
            feedback_scale: 1.0,
        }
    }
}

impl Configuration for FeedbackSettings {
    fn optimiser(&self) -> Optimiser {
        self.adam.into()
    }
}

/// The hyper-parameters of an algorithm with fixed random feedback weights and a choice of
/// optimiser.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RandomFeedbackSettings {
    /// The optimiser of the network.
    #[serde(flatten)]
    pub optimiser: OptimiserSettings,
    /// Multiplies the feedback weights, which are otherwise Glorot-uniform, as the network's own
    /// weights are at first.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub feedback_scale: f64,
}

impl Default for RandomFeedbackSettings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserSettings::default(),
            feedback_scale: 1.0,
        }
    }
}

impl Configuration for RandomFeedbackSettings {
    fn optimiser(&self) -> Optimiser {
        (&self.optimiser).into()
    }
}
