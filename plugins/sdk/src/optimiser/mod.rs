//! How a group of parameters moves against its directions: Adam or gradient descent with momentum,
//! and decay of the weights beside either.

mod adam;
mod descent;

use std::ops::Range;
use std::rc::Rc;

use assay_abi::{ErrorCode, PluginError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use adam::Adam;

use crate::arithmetic::{add_scaled, scale};
use crate::card::Counter;
use crate::error::Error;
use crate::layout::Canonical;
use crate::parameters::Parameters;
use adam::AdamState;
use descent::{Descent, DescentState};

/// The optimiser of one group of parameters.
///
/// Decay is decoupled (Loshchilov & Hutter 2019) unless it is said to be coupled: a step first multiplies
/// every parameter by 1 − λ, and the directions know nothing of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimiser {
    method: Method,
    decay: Decay,
    factors: Factors,
}

/// The decay of parameters, by λ.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Decay {
    /// Multiplies them by 1 − λ.
    Decoupled(f64),
    /// Adds λ times the parameter to its direction.
    Coupled(f64),
}

/// Factors by layer, from the first layer on; an empty list is 1 for every layer.
#[derive(Clone, Debug, Default, PartialEq)]
struct Factors {
    /// Of the learning rate.
    rates: Vec<f64>,
    /// Of Adam's ε.
    epsilons: Vec<f64>,
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
            decay: Decay::Decoupled(0.0),
            factors: Factors::default(),
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
            decay: Decay::Decoupled(0.0),
            factors: Factors::default(),
        }
    }

    /// The same with decay λ in every step.
    #[must_use]
    pub fn with_decay(self, decay: f64) -> Self {
        let decay = Decay::Decoupled(decay);
        Self { decay, ..self }
    }

    /// The same with `λ p` added to the direction of each parameter p before the method moves it, which is
    /// the gradient of `λ/2 ‖p‖²`.
    #[must_use]
    pub fn with_coupled_decay(self, decay: f64) -> Self {
        let decay = Decay::Coupled(decay);
        Self { decay, ..self }
    }

    /// The same with the learning rate of layer l multiplied by the l-th of `factors`, for every tensor of
    /// that layer; no factors for one rate. A learner is refused unless there are as many as layers.
    /// Decoupled decay has no part in it.
    #[must_use]
    pub fn with_rate_factors(mut self, factors: impl Into<Vec<f64>>) -> Self {
        self.factors.rates = factors.into();
        self
    }

    /// The same with Adam's ε multiplied by layer, as in [`Optimiser::with_rate_factors`]. Gradient descent
    /// has none.
    #[must_use]
    pub fn with_epsilon_factors(mut self, factors: impl Into<Vec<f64>>) -> Self {
        self.factors.epsilons = factors.into();
        self
    }

    /// Refuses factors that are not one for each of `depth` layers.
    pub(crate) fn check_factors(&self, depth: usize) -> Result<(), Error> {
        for (name, factors) in self.factors.lists() {
            if !factors.is_empty() && factors.len() != depth {
                let message = format!(
                    "{} factors of the {name} by layer are given for a network of {depth} layers",
                    factors.len()
                );
                let help = "give one for each layer, from the first on, or none";
                let error = PluginError::new(ErrorCode::HYPERPARAMETERS, message);
                return Err(Error::Plugin(error.with_help(help)));
            }
        }
        Ok(())
    }
}

impl Factors {
    fn lists(&self) -> [(&'static str, &[f64]); 2] {
        [("learning rate", &self.rates), ("epsilon", &self.epsilons)]
    }

    /// The factors of learning rate and ε in layer l.
    fn of_layer(&self, l: usize) -> Result<[f64; 2], Error> {
        let mut found = [1.0; 2];
        for (found, (name, factors)) in found.iter_mut().zip(self.lists()) {
            if factors.is_empty() {
                continue;
            }
            let factor = l.checked_sub(1).and_then(|index| factors.get(index));
            *found = *factor.ok_or_else(|| {
                let message = match l {
                    0 => format!(
                        "the {name} has factors by layer, but a tensor that it moves is of no layer"
                    ),
                    _ => format!("there is no factor of the {name} for layer {l}"),
                };
                Error::new(ErrorCode::HYPERPARAMETERS, message)
            })?;
        }
        Ok(found)
    }
}

/// A part of the flat buffers whose parameters move alike.
struct Span {
    elements: Range<usize>,
    /// Multiplies the learning rate.
    rate: f64,
    /// Multiplies ε.
    epsilon: f64,
}

impl Span {
    /// The part of a flat buffer.
    fn of(&self, buffer: &Tensor) -> Result<Tensor, Error> {
        let (start, length) = (self.elements.start as i64, self.elements.len() as i64);
        Ok(buffer.f_narrow(0, start, length)?)
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The part of every trained parameter that each step takes away, beside its direction; with
    /// `coupled_decay` that part is added to the direction instead.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub weight_decay: f64,
    /// Adds `weight_decay` times each parameter to its direction, before the optimiser sees it.
    pub coupled_decay: bool,
    /// Multiply the learning rate by layer, one for each layer from the first on; none for one rate. A
    /// layer with 0 keeps its first weights.
    #[schemars(extend("items" = {"type": "number", "minimum": 0.0}, "length" = "layers"))]
    pub rate_factors: Vec<f64>,
    /// Multiply Adam's `epsilon` by layer, one for each layer from the first on; none for one.
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0.0}, "length" = "layers"))]
    pub epsilon_factors: Vec<f64>,
}

impl Default for OptimiserSettings {
    fn default() -> Self {
        Self {
            optimiser: OptimiserKind::Adam,
            adam: Adam::default(),
            momentum: 0.9,
            weight_decay: 0.0,
            coupled_decay: false,
            rate_factors: Vec::new(),
            epsilon_factors: Vec::new(),
        }
    }
}

impl From<&OptimiserSettings> for Optimiser {
    fn from(settings: &OptimiserSettings) -> Self {
        let optimiser = match settings.optimiser {
            OptimiserKind::Adam => settings.adam.into(),
            OptimiserKind::Sgd => Self::descent(settings.adam.learning_rate, settings.momentum),
        };
        let optimiser = if settings.coupled_decay {
            optimiser.with_coupled_decay(settings.weight_decay)
        } else {
            optimiser.with_decay(settings.weight_decay)
        };
        optimiser
            .with_rate_factors(settings.rate_factors.as_slice())
            .with_epsilon_factors(settings.epsilon_factors.as_slice())
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

impl Finite {
    /// That of two parts of the gradients together.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

/// An optimiser's state for one group of parameters.
pub(crate) struct OptimiserState {
    method: MethodState,
    decay: Decay,
    /// All of the parameters, in pieces.
    spans: Vec<Span>,
}

enum MethodState {
    Adam(AdamState),
    Descent(DescentState),
}

impl OptimiserState {
    /// The state before the first step.
    ///
    /// # Errors
    /// Memory that cannot be allocated, or a layer that the factors by layer leave out.
    pub(crate) fn new(optimiser: &Optimiser, parameters: &Parameters) -> Result<Self, Error> {
        let by_layer = parameters.by_layer(|l| optimiser.factors.of_layer(l))?;
        let span = |(elements, [rate, epsilon]): (_, [f64; 2])| Span {
            elements,
            rate,
            epsilon,
        };
        let method = match optimiser.method {
            Method::Adam(adam) => MethodState::Adam(AdamState::new(adam, parameters)?),
            Method::Descent(descent) => {
                MethodState::Descent(DescentState::new(descent, parameters)?)
            }
        };
        Ok(Self {
            method,
            decay: optimiser.decay,
            spans: by_layer.into_iter().map(span).collect(),
        })
    }

    /// Moves the values of `parameters` against their gradients.
    pub(crate) fn step(&mut self, parameters: &mut Parameters) -> Result<Finite, Error> {
        let (values, gradients) = parameters.flat();
        match self.decay {
            Decay::Decoupled(decay) if decay > 0.0 => scale(values, 1.0 - decay)?,
            Decay::Coupled(decay) if decay > 0.0 => add_scaled(gradients, decay, values)?,
            Decay::Decoupled(_) | Decay::Coupled(_) => {}
        }
        match &mut self.method {
            MethodState::Adam(state) => state.step(&self.spans, parameters),
            MethodState::Descent(state) => state.step(&self.spans, parameters),
        }
    }

    /// The number of its last step, where it counts them.
    pub(crate) fn counter(&self) -> Option<&Rc<Counter>> {
        match &self.method {
            MethodState::Adam(state) => Some(state.counter()),
            MethodState::Descent(_) => None,
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

#[cfg(test)]
mod tests {
    use tch::{Device, Tensor};

    use super::{Adam, Optimiser, OptimiserState};
    use crate::error::Error;
    use crate::layout::Layout;
    use crate::parameters::{Declaration, Parameters};
    use crate::rng::Initial;

    /// Weights of the layers named, each of three values.
    fn weights(layers: &[usize]) -> Parameters {
        let declaration = |&layer: &usize| Declaration {
            name: format!("w{layer}"),
            layer,
            layout: Layout::plain(&[3]),
            initial: Initial::Uniform { limit: 1.0 },
        };
        Parameters::new(layers.iter().map(declaration).collect(), 7, Device::Cpu).unwrap()
    }

    /// The weights of the layers named after three steps.
    fn trained(layers: &[usize], optimiser: &Optimiser) -> Result<Vec<Vec<f32>>, Error> {
        let mut parameters = weights(layers);
        let mut state = OptimiserState::new(optimiser, &parameters)?;
        for step in 0..3_u8 {
            for tensor in parameters.tensors() {
                let first = f32::from(step) + 0.1 * tensor.layer as f32;
                let gradient = Tensor::from_slice(&[first, -1.0, 1e-3]);
                tensor.gradient.shallow_clone().copy_(&gradient);
            }
            let _ = state.step(&mut parameters)?;
        }
        let values = parameters.tensors().map(|it| Vec::try_from(&it.value));
        Ok(values.collect::<Result<_, _>>().unwrap())
    }

    #[test]
    fn a_layer_with_a_factor_moves_as_if_alone_with_that_rate() {
        let adam = |factor: f64| Adam {
            learning_rate: 0.25 * factor,
            epsilon: 0.5 * factor,
            ..Adam::default()
        };
        let factors = [1.0, 0.5, 0.5, 2.0];
        let by_layer = |optimiser: Optimiser| {
            let optimiser = optimiser.with_decay(0.125).with_rate_factors(factors);
            trained(&[1, 2, 3, 4], &optimiser.with_epsilon_factors(factors)).unwrap()
        };
        let descent = |factor: f64| Optimiser::descent(0.25 * factor, 0.5);
        for (found, alone) in [
            (
                by_layer(adam(1.0).into()),
                &(|it| adam(it).into()) as &dyn Fn(f64) -> Optimiser,
            ),
            (by_layer(descent(1.0)), &descent),
        ] {
            for (layer, (factor, found)) in (1..).zip(factors.into_iter().zip(found)) {
                let expected = trained(&[layer], &alone(factor).with_decay(0.125)).unwrap();
                assert_eq!(expected, [found], "layer {layer}");
            }
        }
    }

    #[test]
    fn coupled_decay_is_a_part_of_the_direction() {
        // lr 0.5, μ 0, λ 0.25: p ← p − 0.5 (g + 0.25 p)
        let optimiser = Optimiser::descent(0.5, 0.0).with_coupled_decay(0.25);
        let mut parameters = weights(&[1]);
        let before = parameters.tensors().next().unwrap().value.copy();
        let gradient = Tensor::from_slice(&[1.0_f32, -2.0, 0.0]);
        let first = parameters.tensors().next().unwrap();
        first.gradient.shallow_clone().copy_(&gradient);
        let mut state = OptimiserState::new(&optimiser, &parameters).unwrap();
        let _ = state.step(&mut parameters).unwrap();
        let expected = &before - 0.5 * (gradient + 0.25 * &before);
        let found = &parameters.tensors().next().unwrap().value;
        assert_eq!(
            Vec::<f32>::try_from(found).unwrap(),
            Vec::<f32>::try_from(expected).unwrap()
        );

        // Adam sees it too, which decoupled decay does not.
        let adam = || Optimiser::from(Adam::default());
        let coupled = trained(&[1], &adam().with_coupled_decay(0.25)).unwrap();
        assert_ne!(coupled, trained(&[1], &adam().with_decay(0.25)).unwrap());
        let without = trained(&[1], &adam()).unwrap();
        assert_eq!(
            trained(&[1], &adam().with_coupled_decay(0.0)).unwrap(),
            without
        );
    }

    #[test]
    fn a_layer_without_a_factor_is_refused() {
        let optimiser = Optimiser::descent(0.5, 0.0).with_rate_factors([1.0, 1.0]);
        for (layer, named) in [(3, "layer 3"), (0, "of no layer")] {
            let error = trained(&[layer], &optimiser).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
