//! The operations of one layer: forward, transposed map, weight gradient.
//!
//! Every algorithm is written in these, so a new kind of layer is added here and nowhere else.
//! All results go into buffers that the caller owns. Activations are contiguous (units, B); those
//! of a layer that looks at an image have their units in the order (row, column, channel).

mod dense;
pub(crate) mod matrix;
mod span;
mod windowed;

use std::rc::Rc;

use assay_network::{Layer as Description, LayerSummary, Shape, Window};
use tch::Tensor;

use self::dense::Dense;
use self::windowed::{Image, Sharing, Windowed};
use crate::error::Error;
use crate::function::Function;
use crate::layout::{Layout, Units};
use crate::operand;
use crate::parameters::{Declaration, Parameter};
use crate::rng::Initial;

/// One layer with views of its parameters and of their gradients.
///
/// Activations and deltas are contiguous, of 32-bit floats, and have a column for each sample; an
/// output lies apart from what it is computed from. Whatever does not fit is refused.
pub struct Layer {
    /// l
    number: usize,
    map: Rc<Map>,
    weight: Tensor,
    bias: Tensor,
    weight_gradient: Tensor,
    bias_gradient: Tensor,
}

/// The linear part of a layer: what its weights connect.
///
/// Every operation below takes it apart, so that a new kind does not compile until each of them
/// knows it. The weights are arguments, since feedback and inverse maps connect the same units
/// with weights of their own.
#[derive(Debug)]
pub(crate) enum Map {
    /// Every unit to every input.
    Dense(Dense),
    /// Every unit to a window of an image.
    Windowed(Windowed),
}

impl Map {
    /// The map of a described layer on `inputs`, the units of `h_{l-1}` in their order.
    pub(crate) fn new(layer: &LayerSummary, inputs: Units) -> Self {
        let windowed = |window: Window, sharing| {
            Self::Windowed(Windowed::new(
                image(layer.input),
                image(layer.output),
                window.kernel as i64,
                window.stride as i64,
                sharing,
            ))
        };
        match layer.layer {
            Description::Dense { .. } | Description::Softmax { .. } => {
                Self::dense(inputs, Units::Flat(layer.output.units() as i64))
            }
            Description::Local(window) => windowed(window, Sharing::None),
            Description::Convolution(window) => windowed(window, Sharing::Positions),
        }
    }

    /// A dense map from `inputs` to `outputs`.
    pub(crate) fn dense(inputs: Units, outputs: Units) -> Self {
        Self::Dense(Dense::new(inputs, outputs))
    }

    /// The units of `h_0` in the order that the first layer wants.
    pub(crate) fn first_inputs(first: &LayerSummary) -> Units {
        match first.layer {
            Description::Dense { .. } | Description::Softmax { .. } => {
                Units::Flat(first.input.units() as i64)
            }
            Description::Local(_) | Description::Convolution(_) => image(first.input).units(),
        }
    }

    /// The units of `h_{l-1}`.
    pub(crate) fn inputs(&self) -> Units {
        match self {
            Self::Dense(map) => map.inputs,
            Self::Windowed(map) => map.inputs(),
        }
    }

    /// The units of `h_l`.
    pub(crate) fn outputs(&self) -> Units {
        match self {
            Self::Dense(map) => map.outputs,
            Self::Windowed(map) => map.outputs(),
        }
    }

    /// Weight and bias of layer l, named and initialised.
    pub(crate) fn declarations(&self, l: usize) -> [Declaration; 2] {
        let (weight, bias) = match self {
            Self::Dense(map) => (map.weight(), map.bias()),
            Self::Windowed(map) => (map.weight(), map.bias()),
        };
        [
            Declaration {
                name: format!("forward.{l}.weight"),
                layer: l,
                layout: weight,
                initial: self.glorot(1.0),
            },
            Declaration {
                name: format!("forward.{l}.bias"),
                layer: l,
                layout: bias,
                initial: Initial::Zero,
            },
        ]
    }

    /// Weight and bias of the inverse of layer l, named and initialised: `V_l` connects what
    /// `W_lᵀ` connects, `c_l` has the shape of `h_{l-1}`.
    pub(crate) fn inverse_declarations(&self, l: usize) -> [Declaration; 2] {
        [
            Declaration {
                name: format!("inverse.{l}.weight"),
                layer: l,
                layout: self.feedback_layout(),
                initial: self.glorot(1.0),
            },
            Declaration {
                name: format!("inverse.{l}.bias"),
                layer: l,
                layout: Layout::units(self.inputs()),
                initial: Initial::Zero,
            },
        ]
    }

    /// The layout of weights that take the place of `W_lᵀ`: the transposed matrix for a dense
    /// map, that of `W_l` for a window.
    pub(crate) fn feedback_layout(&self) -> Layout {
        match self {
            Self::Dense(map) => map.feedback_weight(),
            Self::Windowed(map) => map.weight(),
        }
    }

    /// The distribution of the weights, times `scale`.
    pub(crate) fn glorot(&self, scale: f64) -> Initial {
        match self {
            Self::Dense(map) => map.glorot(scale),
            Self::Windowed(map) => map.glorot(scale),
        }
    }

    /// `out = function(W h + b)`.
    #[track_caller]
    pub(crate) fn forward(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        function: Function,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense(_) => matrix::affine(weight, Some(bias), function, h, out),
            Self::Windowed(map) => map.forward(weight, bias, function, h, out),
        }
    }

    /// `out = Wᵀ δ`.
    #[track_caller]
    pub(crate) fn transposed(
        &self,
        weight: &Tensor,
        delta: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense(_) => matrix::transposed(weight, delta, out),
            Self::Windowed(map) => map.transposed(weight, None, Function::Identity, delta, out),
        }
    }

    /// `out = B δ`, B laid out as [`Map::feedback_layout`] says.
    #[track_caller]
    pub(crate) fn feedback(
        &self,
        feedback: &Tensor,
        delta: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense(_) => matrix::affine(feedback, None, Function::Identity, delta, out),
            Self::Windowed(map) => map.transposed(feedback, None, Function::Identity, delta, out),
        }
    }

    /// `out = function(V u + c)`, V laid out as [`Map::feedback_layout`] says and c like
    /// `h_{l-1}`.
    #[track_caller]
    pub(crate) fn inverse(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        function: Function,
        u: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense(_) => matrix::affine(weight, Some(bias), function, u, out),
            Self::Windowed(map) => map.transposed(weight, Some(bias), function, u, out),
        }
    }

    /// Writes `δ uᵀ` on the connections of V, as [`Map::weight_gradient`] does for W; `delta` is
    /// of the inverse's output, shaped like `h_{l-1}`.
    #[track_caller]
    pub(crate) fn inverse_weight_gradient(
        &self,
        delta: &Tensor,
        u: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense(map) => map.weight_gradient(delta, u, out),
            // V is laid out like W, so it is indexed by the unit of u first: the roles change.
            Self::Windowed(map) => map.weight_gradient(u, delta, out),
        }
    }

    /// Writes the sum of `δ` over the batch; every unit of `h_{l-1}` has its own c.
    pub(crate) fn inverse_bias_gradient(delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        sum_over_batch(delta, &[1], &out.f_view(-1)?)
    }

    /// Writes `δ hᵀ` on the weights' connections into `out`, laid out like the weights. The
    /// weights of a window that only padding would meet are left as they are, which is zero.
    #[track_caller]
    pub(crate) fn weight_gradient(
        &self,
        delta: &Tensor,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense(map) => map.weight_gradient(delta, h, out),
            Self::Windowed(map) => map.weight_gradient(delta, h, out),
        }
    }

    /// Writes the sum of `δ` over the batch, and over the positions that share a bias.
    pub(crate) fn bias_gradient(&self, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        match self {
            Self::Dense(_) => Dense::bias_gradient(delta, out),
            Self::Windowed(map) => map.bias_gradient(delta, out),
        }
    }
}

impl Layer {
    /// Layer `number`, which computes `map`.
    pub(crate) fn new(number: usize, map: Rc<Map>, weight: &Parameter, bias: &Parameter) -> Self {
        Self {
            number,
            map,
            weight: weight.value.shallow_clone(),
            bias: bias.value.shallow_clone(),
            weight_gradient: weight.gradient.shallow_clone(),
            bias_gradient: bias.gradient.shallow_clone(),
        }
    }

    pub(crate) fn map(&self) -> &Map {
        &self.map
    }

    /// The map for an inverse, which connects the same units.
    pub(crate) fn shared_map(&self) -> Rc<Map> {
        Rc::clone(&self.map)
    }

    /// `n_l`, the number of units.
    pub fn units(&self) -> i64 {
        self.map.outputs().count()
    }

    /// `n_{l-1}`
    fn inputs(&self) -> i64 {
        self.map.inputs().count()
    }

    /// `out = W_l h + b_l`, from `h` (`n_{l-1}`, B) into `out` (`n_l`, B).
    #[track_caller]
    pub fn forward(&self, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        self.apply(Function::Identity, h, out)
    }

    /// `out = tanh(W_l h + b_l)`, shapes as in [`Layer::forward`].
    #[track_caller]
    pub fn forward_tanh(&self, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        self.apply(Function::Tanh, h, out)
    }

    #[track_caller]
    fn apply(&self, function: Function, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        let map = format_args!("layer {}", self.number);
        let units = [self.inputs(), self.units()];
        operand::mapped(map, units, ("an input", h), out)?;
        self.map.forward(&self.weight, &self.bias, function, h, out)
    }

    /// `out = W_lᵀ δ`, from `delta` (`n_l`, B) into `out` (`n_{l-1}`, B).
    #[track_caller]
    pub fn transposed(&self, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        self.check_backwards(delta, out)?;
        self.map.transposed(&self.weight, delta, out)
    }

    /// `out = B δ` with `feedback` B in the place of `W_lᵀ`, shapes as in
    /// [`Layer::transposed`]. See [`Setup::transposed_feedback`](crate::Setup::transposed_feedback).
    #[track_caller]
    pub fn feedback(&self, feedback: &Tensor, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        let layout = self.map.feedback_layout();
        operand::shape("a transposed feedback", feedback, layout.operand(), || {
            let (from, to) = (self.units(), self.inputs());
            format!("layer {} goes back from {from} units to {to}", self.number)
        })?;
        self.check_backwards(delta, out)?;
        self.map.feedback(feedback, delta, out)
    }

    /// Refuses all but `delta` (`n_l`, B) and `out` (`n_{l-1}`, B).
    #[track_caller]
    fn check_backwards(&self, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        let map = format_args!("layer {} backwards", self.number);
        let units = [self.units(), self.inputs()];
        operand::mapped(map, units, ("a delta", delta), out)
    }

    /// `out = B e`, from `e` (`n_L`, B) into `out`, shaped like `h_l`. See
    /// [`Setup::direct_feedback`](crate::Setup::direct_feedback).
    #[track_caller]
    pub fn project(&self, feedback: &Tensor, e: &Tensor, out: &Tensor) -> Result<(), Error> {
        let (l, units) = (self.number, self.units());
        let reason = || format!("layer {l} has {units} outputs");
        let outputs = operand::columns("a direct feedback", feedback, units, reason)?;
        let map = format_args!("the direct feedback of layer {l}");
        operand::mapped(map, [outputs, units], ("an error", e), out)?;
        matrix::affine(feedback, None, Function::Identity, e, out)
    }

    /// Writes `δ_l h_{l-1}ᵀ` and the sum of `δ_l` over the batch into the gradients of
    /// `W_l` and `b_l`.
    pub(crate) fn write_gradient(&self, delta: &Tensor, h: &Tensor) -> Result<(), Error> {
        self.map.weight_gradient(delta, h, &self.weight_gradient)?;
        self.map.bias_gradient(delta, &self.bias_gradient)
    }

    /// Writes zeros into the gradients of `W_l` and `b_l`.
    pub(crate) fn clear_gradient(&self) -> Result<(), Error> {
        self.weight_gradient.shallow_clone().f_zero_().map(drop)?;
        self.bias_gradient.shallow_clone().f_zero_().map(drop)?;
        Ok(())
    }
}

fn image(shape: Shape) -> Image {
    Image {
        channels: shape.channels as i64,
        height: shape.height as i64,
        width: shape.width as i64,
    }
}

/// Writes the sum of `delta` over the axes `axes`.
fn sum_over_batch(delta: &Tensor, axes: &[i64], out: &Tensor) -> Result<(), Error> {
    delta.f_sum_intlist_out(out, axes, false, None).map(drop)?;
    Ok(())
}

#[cfg(test)]
mod tests;
