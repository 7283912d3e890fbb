//! The linear part of a layer: which units its weights connect, and the products over them.
//!
//! A dense map is a matrix and its products are those of [`matrix`]; a windowed map has products of
//! its own ([`Windowed`]). A new kind of layer is added here and nowhere else.

use assay_network::{Layer as Description, LayerSummary, Window};
use tch::Tensor;

use super::matrix;
use super::windowed::{Image, Sharing, Windowed};
use crate::error::Error;
use crate::function::Function;
use crate::layout::{Layout, Units};
use crate::parameters::Declaration;
use crate::product::TransposeBuffer;
use crate::rng::Initial;

/// The linear part of a layer.
///
/// Every operation takes it apart, so that a new kind does not compile until each of them knows it.
/// The weights are arguments, since feedback and inverses connect the same units with weights of
/// their own.
#[derive(Debug)]
pub(crate) enum Map {
    /// Every unit to every input: weights are a matrix (`n_l`, `n_{l-1}`).
    Dense {
        inputs: Units,
        outputs: Units,
        /// Activations by sample, for the weight gradient.
        by_sample: TransposeBuffer,
    },
    /// Every unit to a window of an image.
    Windowed(Windowed),
}

impl Map {
    /// The map of a described layer on `inputs`, the units of `h_{l-1}` in their order.
    pub(crate) fn new(layer: &LayerSummary, inputs: Units) -> Self {
        let windowed = |window: Window, sharing| {
            Self::Windowed(Windowed::new(
                layer.input.into(),
                layer.output.into(),
                window.kernel as i64,
                window.stride as i64,
                sharing,
            ))
        };
        match layer.layer {
            Description::Dense { .. } | Description::Softmax { .. } => {
                Self::dense(inputs, Units::Flat(layer.output.units() as i64))
            }
            Description::Local(window, _) => windowed(window, Sharing::None),
            Description::Convolution(window, _) => windowed(window, Sharing::Positions),
        }
    }

    /// A dense map from `inputs` to `outputs`.
    pub(crate) fn dense(inputs: Units, outputs: Units) -> Self {
        Self::Dense {
            inputs,
            outputs,
            by_sample: TransposeBuffer::default(),
        }
    }

    /// The units of `h_0` in the order that the first layer wants.
    pub(crate) fn first_inputs(first: &LayerSummary) -> Units {
        match first.layer {
            Description::Dense { .. } | Description::Softmax { .. } => {
                Units::Flat(first.input.units() as i64)
            }
            Description::Local(..) | Description::Convolution(..) => {
                Image::from(first.input).units()
            }
        }
    }

    /// The units of `h_{l-1}`.
    pub(crate) fn inputs(&self) -> Units {
        match self {
            Self::Dense { inputs, .. } => *inputs,
            Self::Windowed(map) => map.inputs(),
        }
    }

    /// The units of `h_l`.
    pub(crate) fn outputs(&self) -> Units {
        match self {
            Self::Dense { outputs, .. } => *outputs,
            Self::Windowed(map) => map.outputs(),
        }
    }

    /// Weight and bias of layer l, named and initialised.
    pub(crate) fn declarations(&self, l: usize) -> [Declaration; 2] {
        let bias = match self {
            Self::Dense { outputs, .. } => Layout::units(*outputs),
            Self::Windowed(map) => map.bias(),
        };
        Declaration::pair("forward", l, self.weight_layout(), bias, self.glorot(1.0))
    }

    /// The layout of the weights.
    pub(crate) fn weight_layout(&self) -> Layout {
        match self {
            Self::Dense {
                inputs, outputs, ..
            } => Layout::matrix(*outputs, *inputs),
            Self::Windowed(map) => map.weight(),
        }
    }

    /// The layout of weights that take the place of `W_lᵀ`: the transposed matrix for a dense
    /// map, that of `W_l` for a window.
    pub(crate) fn feedback_layout(&self) -> Layout {
        match self {
            Self::Dense {
                inputs, outputs, ..
            } => Layout::matrix(*inputs, *outputs),
            Self::Windowed(map) => map.weight(),
        }
    }

    /// Fan-in and fan-out of a unit; of one position for a window.
    pub(crate) fn fans(&self) -> (i64, i64) {
        match self {
            Self::Dense {
                inputs, outputs, ..
            } => (inputs.count(), outputs.count()),
            Self::Windowed(map) => map.fans(),
        }
    }

    /// The distribution of the weights, times `scale`.
    pub(crate) fn glorot(&self, scale: f64) -> Initial {
        let (fan_in, fan_out) = self.fans();
        Initial::Glorot {
            fan_in,
            fan_out,
            scale,
        }
    }

    /// `out = function(W h + b)`; b is zero if there is none.
    #[track_caller]
    pub(crate) fn forward(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        function: Function,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense { .. } => matrix::affine(weight, bias, function, h, out),
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
            Self::Dense { .. } => matrix::transposed(weight, delta, out),
            Self::Windowed(map) => map.transposed(weight, None, Function::Identity, delta, out),
        }
    }

    /// `out = function(V u + c)` from above to below, V laid out as [`Map::feedback_layout`] says and
    /// c like `h_{l-1}`, or zero: feedback weights, or an inverse.
    #[track_caller]
    pub(crate) fn feedback(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        function: Function,
        u: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense { .. } => matrix::affine(weight, bias, function, u, out),
            Self::Windowed(map) => map.transposed(weight, bias, function, u, out),
        }
    }

    /// `out = Vᵀ δ` from below to above, V laid out as [`Map::feedback_layout`] says.
    #[track_caller]
    pub(crate) fn feedback_transposed(
        &self,
        weight: &Tensor,
        delta: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense { .. } => matrix::transposed(weight, delta, out),
            Self::Windowed(map) => map.forward(weight, None, Function::Identity, delta, out),
        }
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
            Self::Dense { by_sample, .. } => matrix::outer(delta, h, out, by_sample),
            Self::Windowed(map) => map.weight_gradient(delta, h, out),
        }
    }

    /// Writes `δ uᵀ` on the connections of V, as [`Map::weight_gradient`] does for W; `delta` is
    /// of the inverse's output, shaped like `h_{l-1}`.
    #[track_caller]
    pub(crate) fn feedback_gradient(
        &self,
        delta: &Tensor,
        u: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match self {
            Self::Dense { by_sample, .. } => matrix::outer(delta, u, out, by_sample),
            // V is laid out like W, so it is indexed by the unit of u first: the roles change.
            Self::Windowed(map) => map.weight_gradient(u, delta, out),
        }
    }
}
