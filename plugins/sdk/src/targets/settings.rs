//! The hyper-parameters of the target-propagation algorithms.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;
use crate::maps::{InverseTraining, Schedule};
use crate::optimiser::{Adam, Optimiser};

/// The target of an inverse (docs/methods.md, Local losses and inverse losses).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InverseLoss {
    /// The noisy activation: `‖g_l(f_l(h_{l-1}+ε)) − (h_{l-1}+ε)‖²`.
    NoisePreserving,
    /// The activation without its noise: `‖g_l(f_l(h_{l-1}+ε)) − h_{l-1}‖²`.
    Denoising,
}

/// Adam for the inverses, ready to be flattened into an algorithm's configuration.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct InverseAdam {
    /// Step size of the inverses' Adam. The paper searched 1e-5 to 3e-4 (Table 4) and printed
    /// best values up to 1e-2 (Table 5).
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [1e-5, 3e-4]}))]
    pub inverse_learning_rate: f64,
    /// Decay of the first moment of the inverses' Adam. The paper used 0.9, and 0.99 for some
    /// methods (Tables 4, 5).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub inverse_beta1: f64,
    /// Decay of the second moment of the inverses' Adam. The paper chose 0.99 or 0.999 (Table 4).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0, "search" = [0.99, 0.999]))]
    pub inverse_beta2: f64,
    /// Added to the root of the second moment of the inverses' Adam. The paper chose 1e-4, 1e-6
    /// or 1e-8 (Table 4).
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = [1e-4, 1e-6, 1e-8]))]
    pub inverse_epsilon: f64,
}

impl Default for InverseAdam {
    fn default() -> Self {
        let adam = Adam::default();
        Self {
            inverse_learning_rate: adam.learning_rate,
            inverse_beta1: adam.beta1,
            inverse_beta2: adam.beta2,
            inverse_epsilon: adam.epsilon,
        }
    }
}

impl From<InverseAdam> for Adam {
    fn from(adam: InverseAdam) -> Self {
        Self {
            learning_rate: adam.inverse_learning_rate,
            beta1: adam.inverse_beta1,
            beta2: adam.inverse_beta2,
            epsilon: adam.inverse_epsilon,
        }
    }
}

/// The training of the inverses, ready to be flattened into an algorithm's configuration.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct InverseSettings {
    /// Adam for the inverses.
    #[serde(flatten)]
    pub adam: InverseAdam,
    /// Standard deviation of the Gaussian noise that the inverses are trained with. The paper
    /// searched 0.01 to 0.3 (Table 4).
    #[schemars(range(min = 0.0), extend("search" = {"uniform": [0.01, 0.3]}))]
    pub sigma: f64,
    /// `parallel`: every step updates the network and the inverses. `alternating`: a pass over
    /// the epoch's batches for the inverses, then one for the network; the pair is one epoch.
    #[schemars(with = "String", extend("enum" = ["parallel", "alternating"]))]
    pub schedule: Schedule,
    /// What the inverses give back: `noise-preserving`, the noisy activation, or `denoising`, the
    /// activation without its noise.
    #[schemars(with = "String", extend("enum" = ["noise-preserving", "denoising"]))]
    pub inverse_loss: InverseLoss,
}

impl InverseSettings {
    /// Settings with which every algorithm of this family trained stably on MNIST; ours, not the paper's.
    fn new(inverse_loss: InverseLoss) -> Self {
        Self {
            adam: InverseAdam::default(),
            sigma: 0.1,
            schedule: Schedule::Parallel,
            inverse_loss,
        }
    }

    fn training(&self) -> InverseTraining {
        InverseTraining {
            schedule: self.schedule,
            ..InverseTraining::new(Adam::from(self.adam), self.sigma)
        }
    }
}

/// The hyper-parameters of an algorithm that propagates targets: those that all of them have, and
/// its own. Makes them a [`Configuration`].
pub trait TargetConfiguration: Serialize + DeserializeOwned + JsonSchema + Default {
    /// The hyper-parameters that all of them have.
    fn targets(&self) -> &TargetSettings;
}

impl<C: TargetConfiguration> Configuration for C {
    fn optimiser(&self) -> Optimiser {
        self.targets().adam.into()
    }

    fn inverse_training(&self) -> Option<InverseTraining> {
        Some(self.targets().inverse.training())
    }
}

/// The hyper-parameters of an algorithm whose targets start at the output's own: SDTP's, and what
/// the others add to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TargetSettings {
    /// Adam for the network.
    #[serde(flatten)]
    pub adam: Adam,
    /// The training of the inverses.
    #[serde(flatten)]
    pub inverse: InverseSettings,
}

impl TargetSettings {
    fn new(inverse_loss: InverseLoss) -> Self {
        Self {
            adam: Adam {
                learning_rate: 3e-4,
                ..Adam::default()
            },
            inverse: InverseSettings::new(inverse_loss),
        }
    }
}

impl Default for TargetSettings {
    fn default() -> Self {
        Self::new(InverseLoss::Denoising)
    }
}

impl TargetConfiguration for TargetSettings {
    fn targets(&self) -> &TargetSettings {
        self
    }
}

/// The hyper-parameters of an algorithm whose targets start with a step down the loss.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DescentSettings {
    /// The settings that every algorithm with targets has.
    #[serde(flatten)]
    pub targets: TargetSettings,
    /// How far the target of the penultimate layer lies down the gradient of each sample's loss.
    /// The paper searched 0.01 to 0.2 for difference target propagation (Table 4).
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"uniform": [0.01, 0.2]}))]
    pub alpha: f64,
}

impl Default for DescentSettings {
    fn default() -> Self {
        Self {
            targets: TargetSettings::new(InverseLoss::NoisePreserving),
            alpha: 0.1,
        }
    }
}

impl TargetConfiguration for DescentSettings {
    fn targets(&self) -> &TargetSettings {
        &self.targets
    }
}
