//! How a group of parameters moves against its directions: Adam or gradient descent with momentum,
//! and decay of the weights beside either.

mod adam;
mod descent;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use adam::Adam;

use crate::arithmetic::scale;
use crate::error::Error;
use crate::layout::Canonical;
use crate::parameters::Parameters;
use adam::AdamState;
use descent::{Descent, DescentState};

/// The optimiser of one group of parameters.
///
/// Decay is decoupled (Loshchilov & Hutter 2019): a step first multiplies every parameter by 1 − λ,
/// and the directions know nothing of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimiser {
    method: Method,
    /// λ
    decay: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    Adam(Adam),
    Descent(Descent),
}

impl From<Adam> for Optimiser {
    fn from(adam: Adam) -> Self {
        Self {
            method: Method::Adam(adam),
            decay: 0.0,
        }
    }
}

impl Optimiser {
    /// Stochastic gradient descent with momentum μ: `m ← μ m + g`, `p ← p − lr m`.
    pub fn descent(learning_rate: f64, momentum: f64) -> Self {
        let descent = Descent {
            learning_rate,
            momentum,
        };
        Self {
            method: Method::Descent(descent),
            decay: 0.0,
        }
    }

    /// The same with decay λ in every step.
    #[must_use]
    pub fn with_decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }
}

/// The choice between optimisers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserKind {
    /// Adam.
    Adam,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// The hyper-parameters of an optimiser that the user chooses, ready to be an algorithm's
/// configuration or, flattened, a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OptimiserSettings {
    /// `adam`, or `sgd`: stochastic gradient descent with momentum, which has no use for `beta1`,
    /// `beta2` and `epsilon`.
    #[schemars(with = "String", extend("enum" = ["adam", "sgd"]))]
    pub optimiser: OptimiserKind,
    /// Learning rate of either, and the rest of Adam.
    #[serde(flatten)]
    pub adam: Adam,
    /// Momentum of `sgd`; `adam` has no use for it.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// The part of every trained parameter that each step takes away, beside its direction.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub weight_decay: f64,
}

impl Default for OptimiserSettings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserKind::Adam,
            adam: Adam::default(),
            momentum: 0.9,
            weight_decay: 0.0,
        }
    }
}

impl From<OptimiserSettings> for Optimiser {
    fn from(settings: OptimiserSettings) -> Self {
        let optimiser = match settings.optimiser {
            OptimiserKind::Adam => settings.adam.into(),
            OptimiserKind::Sgd => Self::descent(settings.adam.learning_rate, settings.momentum),
        };
        optimiser.with_decay(settings.weight_decay)
    }
}

/// The finiteness of the gradients of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finite {
    Yes,
    No,
    /// On a device where finding out would make every step wait.
    Unknown,
}

/// An optimiser's state for one group of parameters.
pub(crate) struct OptimiserState {
    method: MethodState,
    /// λ
    decay: f64,
}

enum MethodState {
    Adam(AdamState),
    Descent(DescentState),
}

impl OptimiserState {
    /// The state before the first step.
    pub(crate) fn new(optimiser: Optimiser, parameters: &Parameters) -> Result<Self, Error> {
        let method = match optimiser.method {
            Method::Adam(adam) => MethodState::Adam(AdamState::new(adam, parameters)?),
            Method::Descent(descent) => {
                MethodState::Descent(DescentState::new(descent, parameters)?)
            }
        };
        Ok(Self {
            method,
            decay: optimiser.decay,
        })
    }

    /// Moves the values of `parameters` against their gradients.
    pub(crate) fn step(&mut self, parameters: &mut Parameters) -> Result<Finite, Error> {
        if self.decay > 0.0 {
            scale(parameters.flat().0, 1.0 - self.decay)?;
        }
        match &mut self.method {
            MethodState::Adam(state) => state.step(parameters),
            MethodState::Descent(state) => state.step(parameters),
        }
    }

    /// Tensors of the saved state, by name; `group` is the prefix of the parameters' names.
    pub(crate) fn state(
        &self,
        group: &str,
        parameters: &Parameters,
    ) -> Result<Vec<(String, Canonical)>, Error> {
        match &self.method {
            MethodState::Adam(state) => state.state(group, parameters),
            MethodState::Descent(state) => state.state(parameters),
        }
    }
}
