//! Trained maps: weights beside the network's own that learn, such as inverses, feedback weights
//! and local classifiers; and how those are trained that take steps of their own.
//!
//! A map connects what a layer connects (forwards, or the other way round) or one vector of units
//! with another. How it does so is the business of its [`Map`].

use std::collections::BTreeSet;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::arithmetic::{self, scale};
use crate::error::Error;
use crate::function::Function;
use crate::layer::Map;
use crate::layout::{Layout, Units};
use crate::operand::{self, refuse_overlap};
use crate::optimiser::Optimiser;
use crate::parameters::{Declaration, Parameter};
use crate::rng::Initial;
use crate::sums::{dot_value, sum_over_batch};
use crate::value::Value;

/// The units that a trained map connects, its function and its first values: Glorot-uniform weights,
/// no bias and no function unless one is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    pub(crate) layer: usize,
    pub(crate) ends: Ends,
    bias: bool,
    activated: bool,
    /// 0 for weights that start at zero.
    scale: f64,
}

/// The units that a map connects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    /// `h_l` with `h_{l-1}`, as `W_lᵀ` does.
    Transposed,
    /// A vector of so many values with `h_l`; `None` for the network's outputs.
    Into(Option<i64>),
    /// `h_l` with the network's outputs.
    Head,
    /// `h_l` with as many units.
    Within,
}

impl Connection {
    fn new(layer: usize, ends: Ends) -> Self {
        Self {
            layer,
            ends,
            bias: false,
            activated: false,
            scale: 1.0,
        }
    }

    /// From `h_l` to `h_{l-1}`: (`n_{l-1}`, `n_l`) for a dense layer, and for one with windows shaped
    /// like `W_l`, whose zeros it shares.
    pub fn transposed(l: usize) -> Self {
        Self::new(l, Ends::Transposed)
    }

    /// From the network's outputs straight to `h_l`: (`n_l`, `n_L`).
    pub fn direct(l: usize) -> Self {
        Self::new(l, Ends::Into(None))
    }

    /// From `inputs` values to `h_l`: (`n_l`, `inputs`).
    pub fn into_layer(l: usize, inputs: i64) -> Self {
        Self::new(l, Ends::Into(Some(inputs)))
    }

    /// From `h_l` to as many values as the network has outputs: (`n_L`, `n_l`).
    pub fn head(l: usize) -> Self {
        Self::new(l, Ends::Head)
    }

    /// From `h_l` to as many units: (`n_l`, `n_l`).
    pub fn within(l: usize) -> Self {
        Self::new(l, Ends::Within)
    }

    /// With a bias, which starts at zero.
    #[must_use]
    pub fn with_bias(self) -> Self {
        Self { bias: true, ..self }
    }

    /// With the function of the units that it gives over the sums: that of layer l − 1 for a transposed
    /// map (tanh for the inputs), of layer l for any other, and tanh for the network's outputs.
    #[must_use]
    pub fn with_activation(self) -> Self {
        Self {
            activated: true,
            ..self
        }
    }

    /// With first weights that many times as large; 0 for weights of zero.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// The layer whose units it gives; 0 for the inputs, `None` for the network's outputs.
    pub(crate) fn given(self) -> Option<usize> {
        match self.ends {
            Ends::Transposed => Some(self.layer - 1),
            Ends::Into(_) | Ends::Within => Some(self.layer),
            Ends::Head => None,
        }
    }

    /// True if it has a function over the sums.
    pub(crate) fn is_activated(self) -> bool {
        self.activated
    }

    fn initial(self, map: &Map) -> Initial {
        if self.scale == 0.0 {
            Initial::Zero
        } else {
            map.glorot(self.scale)
        }
    }

    /// Weight of a map along `link`, and its bias if it has one.
    pub(crate) fn declarations(self, group: &str, link: &Link) -> Vec<Declaration> {
        let (weight, bias) = (link.weight_layout(), Layout::units(link.outputs()));
        let initial = self.initial(link.map());
        let pair = Declaration::pair(group, self.layer, weight, bias, initial);
        let count = if self.bias { 2 } else { 1 };
        pair.into_iter().take(count).collect()
    }

    /// The map along `link`, with `function` over its sums, whose tensors come next in `parameters`.
    pub(crate) fn map(
        self,
        link: Link,
        function: Function,
        parameters: &mut impl Iterator<Item = Rc<Parameter>>,
    ) -> Option<TrainedMap> {
        Some(TrainedMap {
            link,
            function,
            weight: parameters.next()?,
            bias: if self.bias {
                Some(parameters.next()?)
            } else {
                None
            },
        })
    }
}

/// The way that a trained map takes along a map.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    Forwards(Rc<Map>),
    Backwards(Rc<Map>),
}

impl Link {
    fn map(&self) -> &Map {
        match self {
            Self::Forwards(map) | Self::Backwards(map) => map,
        }
    }

    fn inputs(&self) -> Units {
        match self {
            Self::Forwards(map) => map.inputs(),
            Self::Backwards(map) => map.outputs(),
        }
    }

    fn outputs(&self) -> Units {
        match self {
            Self::Forwards(map) => map.outputs(),
            Self::Backwards(map) => map.inputs(),
        }
    }

    fn weight_layout(&self) -> Layout {
        match self {
            Self::Forwards(map) => map.weight_layout(),
            Self::Backwards(map) => map.feedback_layout(),
        }
    }
}

/// A map `u ↦ φ(V u + c)` whose V and c are trained; φ is the identity unless the map was asked for
/// [`with_activation`](Connection::with_activation), and there may be no c.
pub struct TrainedMap {
    link: Link,
    function: Function,
    weight: Rc<Parameter>,
    bias: Option<Rc<Parameter>>,
}

impl TrainedMap {
    /// l, the layer that it belongs to.
    pub fn layer(&self) -> usize {
        self.weight.layer
    }

    /// The number of values that it takes of each sample.
    pub fn inputs(&self) -> i64 {
        self.link.inputs().count()
    }

    /// The number of values that it gives for each sample.
    pub fn outputs(&self) -> i64 {
        self.link.outputs().count()
    }

    /// The units that it gives, in their order.
    pub(crate) fn output_units(&self) -> Units {
        self.link.outputs()
    }

    /// V, to be read only: a step of its optimiser is all that changes it. (outputs, inputs), and for
    /// the transposed map of a layer with windows in the order of that layer's weights.
    pub fn weight(&self) -> &Tensor {
        &self.weight.value
    }

    /// Name of V, such as `feedback.2.weight`.
    pub(crate) fn name(&self) -> &str {
        &self.weight.name
    }

    /// `out = φ(V u + c)`, from `u` (inputs, N) into `out` (outputs, N); both are contiguous.
    #[track_caller]
    pub fn apply(&self, u: &Tensor, out: &Tensor) -> Result<(), Error> {
        self.check([self.inputs(), self.outputs()], ("an input", u), out)?;
        let (weight, bias) = (
            &self.weight.value,
            self.bias.as_ref().map(|bias| &bias.value),
        );
        match &self.link {
            Link::Forwards(map) => map.forward(weight, bias, self.function, u, out),
            Link::Backwards(map) => map.feedback(weight, bias, self.function, u, out),
        }
    }

    /// `delta ← delta ∘ φ'`, given `image = φ(V u + c)`; both are (outputs, N), contiguous, and lie apart.
    #[track_caller]
    pub fn derivative(&self, delta: &Tensor, image: &Tensor) -> Result<(), Error> {
        self.function.derivative(delta, image)
    }

    /// `out = Vᵀ δ`, from `delta` (outputs, N) into `out` (inputs, N); both are contiguous.
    #[track_caller]
    pub fn transposed(&self, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        self.check([self.outputs(), self.inputs()], ("a delta", delta), out)?;
        match &self.link {
            Link::Forwards(map) => map.transposed(&self.weight.value, delta, out),
            Link::Backwards(map) => map.feedback_transposed(&self.weight.value, delta, out),
        }
    }

    #[track_caller]
    fn check(&self, units: [i64; 2], from: (&str, &Tensor), to: &Tensor) -> Result<(), Error> {
        operand::mapped(format_args!("`{}`", self.name()), units, from, to)
    }

    /// Writes `δ uᵀ` and the sum of δ over the columns into the gradients of V and c, from `delta`
    /// (outputs, N) of the sums `V u + c` and `u` (inputs, N).
    #[track_caller]
    pub(crate) fn write_gradient(&self, delta: &Tensor, u: &Tensor) -> Result<(), Error> {
        let (name, inputs, outputs) = (self.name(), self.inputs(), self.outputs());
        let takes = || format!("`{name}` takes {inputs} values of each sample");
        let samples = operand::columns("an input", u, inputs, takes)?;
        operand::shape("a delta", delta, &[outputs, samples], || {
            format!("`{name}` gives {outputs} values for each of {samples} samples")
        })?;
        let gradient = &self.weight.gradient;
        match &self.link {
            Link::Forwards(map) => map.weight_gradient(delta, u, gradient)?,
            Link::Backwards(map) => map.feedback_gradient(delta, u, gradient)?,
        }
        match &self.bias {
            // Every output has its own c, also where the layer's positions share one.
            Some(bias) => sum_over_batch(delta, &bias.gradient),
            None => Ok(()),
        }
    }

    /// Adds `term`, of the shape of V, to its gradient.
    #[track_caller]
    pub(crate) fn add_to_gradient(&self, term: &Tensor) -> Result<(), Error> {
        let gradient = &self.weight.gradient;
        operand::shape("a term", term, &gradient.size(), || {
            format!("`{}` has that shape", self.name())
        })?;
        arithmetic::add(gradient, term, gradient)
    }

    /// Writes zeros into the gradients of V and c.
    pub(crate) fn clear_gradient(&self) -> Result<(), Error> {
        for parameter in [Some(&self.weight), self.bias.as_ref()]
            .into_iter()
            .flatten()
        {
            arithmetic::clear(&parameter.gradient)?;
        }
        Ok(())
    }
}

/// Takes the update directions of the maps that are trained in steps of their own, and sums their
/// losses.
///
/// It reaches nothing but V and c: whatever the loss of a map was computed from is a constant in
/// it.
#[derive(Default)]
pub struct InverseDirections {
    /// The losses of maps, each with its layer.
    losses: Vec<(usize, Value)>,
    /// The names of the maps that were written.
    written: BTreeSet<String>,
}

impl InverseDirections {
    /// Writes the direction of the loss `‖g(u) − target‖²`, mean over the batch and sum over the
    /// units: δ = 2/B (g − target) ∘ φ'.
    ///
    /// `image` is `g(u)`, as [`TrainedMap::apply`] computed it, and `delta` a buffer for δ; both
    /// and `target` are (outputs, B) and contiguous, and `delta` lies apart from all others.
    #[track_caller]
    pub fn squared_error(
        &mut self,
        map: &TrainedMap,
        u: &Tensor,
        image: &Tensor,
        target: &Tensor,
        delta: &Tensor,
    ) -> Result<(), Error> {
        let (name, outputs) = (map.name(), map.outputs());
        let samples = operand::columns("an input", u, map.inputs(), || {
            format!("`{name}` takes {} values of each sample", map.inputs())
        })?;
        let shape = [outputs, samples];
        for (role, tensor) in [
            ("an image", image),
            ("a target", target),
            ("a delta", delta),
        ] {
            operand::shape(role, tensor, &shape, || {
                format!("`{name}` gives {outputs} values for each of {samples} samples")
            })?;
        }
        refuse_overlap(delta, [u, image, target])?;
        arithmetic::subtract(image, target, delta)?;
        let samples = samples as f64;
        let loss = dot_value(delta, delta)?.scaled(1.0, samples);
        let factor = 2.0 / samples;
        scale(delta, factor)?;
        map.derivative(delta, image)?;
        self.gradient(map, delta, u)?;
        self.losses.push((map.layer(), loss));
        Ok(())
    }

    /// Writes `δ uᵀ` for V and the sum of δ over the batch for c, from `delta` (outputs, N) of the
    /// sums `V u + c` and `u` (inputs, N).
    #[track_caller]
    pub fn gradient(&mut self, map: &TrainedMap, delta: &Tensor, u: &Tensor) -> Result<(), Error> {
        map.write_gradient(delta, u)?;
        self.written.insert(map.name().to_owned());
        Ok(())
    }

    /// Adds `term`, of the shape of [`TrainedMap::weight`], to the direction that was written for the
    /// weights of `map`.
    #[track_caller]
    pub fn add(&mut self, map: &TrainedMap, term: &Tensor) -> Result<(), Error> {
        map.add_to_gradient(term)
    }

    /// Adds the loss of a map to what is reported for the step as `inverse_loss`, and for its layer l as
    /// `inverse_loss_l`.
    pub fn add_loss(&mut self, map: &TrainedMap, loss: f64) {
        self.losses.push((map.layer(), Value::Known(loss)));
    }

    /// The first of `maps`, the names of weights, that was not written.
    pub(crate) fn left_out<'a>(&self, mut maps: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        maps.find(|name| !self.written.contains(*name))
    }

    /// The losses of maps, each with its layer, in the order in which they were added.
    pub(crate) fn into_losses(self) -> Vec<(usize, Value)> {
        self.losses
    }
}

/// The training of the maps that take steps of their own, such as inverses.
#[derive(Clone, Debug)]
pub struct InverseTraining {
    /// Their optimiser.
    pub optimiser: Optimiser,
    /// Their turns with the network.
    pub schedule: Schedule,
    /// σ of the noise that they are trained with.
    pub sigma: f64,
    /// Their steps before each step of the network, each with noise of its own; at least 1.
    pub steps: u32,
    /// The first epochs, in which they alone are trained.
    pub epochs_alone: u32,
}

impl InverseTraining {
    /// A step in every step of the network, from the first epoch on.
    pub fn new(optimiser: impl Into<Optimiser>, sigma: f64) -> Self {
        Self {
            optimiser: optimiser.into(),
            schedule: Schedule::Parallel,
            sigma,
            steps: 1,
            epochs_alone: 0,
        }
    }
}

/// The order of updates of the network and of the maps that take steps of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Every step updates both, from the same activations.
    Parallel,
    /// One pass over the epoch's batches updates the inverses, a second pass over the same
    /// batches in the same order updates the network; the pair is one epoch.
    Alternating,
}
