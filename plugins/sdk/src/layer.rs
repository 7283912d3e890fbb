//! The operations of one layer: forward, transposed map, weight gradient.
//!
//! Every algorithm is written in these, so a new kind of layer is added here and nowhere else.
//! All results go into buffers that the caller owns; nothing is allocated per step.

use assay_abi::{ErrorCode, PluginError};
use assay_network::{Layer as Description, LayerSummary};
use tch::Tensor;

use crate::error::Error;
use crate::parameters::{Declaration, Parameter};
use crate::rng::Initial;

/// One layer with views of its parameters and of their gradients.
pub struct Layer {
    map: Map,
    weight: Tensor,
    bias: Tensor,
    weight_gradient: Tensor,
    bias_gradient: Tensor,
}

/// The linear part of a layer: what its weights connect.
///
/// Every operation below takes it apart, so that a new kind does not compile until each of them
/// knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map {
    /// Every unit to every input.
    Dense { inputs: i64, outputs: i64 },
}

impl Map {
    /// The map of a described layer.
    ///
    /// # Errors
    /// [`ErrorCode::UNSUPPORTED`] for a kind of layer that the SDK cannot compute.
    pub(crate) fn new(layer: &LayerSummary) -> Result<Self, Error> {
        match layer.layer {
            Description::Dense { .. } | Description::Softmax { .. } => Ok(Self::Dense {
                inputs: layer.input.units() as i64,
                outputs: layer.output.units() as i64,
            }),
            Description::Local(_) | Description::Convolution(_) => Err(Error::Plugin(
                PluginError::new(
                    ErrorCode::UNSUPPORTED,
                    format!(
                        "layer {}: `{}` cannot be trained by this version of the SDK",
                        layer.index, layer.layer
                    ),
                )
                .with_help("use fully connected layers: `fc N` and a final `softmax N`"),
            )),
        }
    }

    /// `n_l`, the number of units.
    pub(crate) fn units(self) -> i64 {
        match self {
            Self::Dense { outputs, .. } => outputs,
        }
    }

    /// `n_{l-1}`, the number of inputs.
    pub(crate) fn inputs(self) -> i64 {
        match self {
            Self::Dense { inputs, .. } => inputs,
        }
    }

    /// Weight and bias of layer l, named and initialised.
    pub(crate) fn declarations(self, l: usize) -> [Declaration; 2] {
        let Self::Dense { inputs, outputs } = self;
        [
            Declaration {
                name: format!("forward.{l}.weight"),
                shape: vec![outputs, inputs],
                initial: self.glorot(1.0),
            },
            Declaration {
                name: format!("forward.{l}.bias"),
                shape: vec![outputs],
                initial: Initial::Zero,
            },
        ]
    }

    /// The same map with `extra` more outputs.
    pub(crate) fn widened(self, extra: i64) -> Self {
        let Self::Dense { inputs, outputs } = self;
        Self::Dense {
            inputs,
            outputs: outputs + extra,
        }
    }

    /// Weight and bias of the inverse of layer l, named and initialised: `V_l` in the shape and
    /// with the distribution of `W_lᵀ`, `c_l` in the shape of `h_{l-1}`.
    pub(crate) fn inverse_declarations(self, l: usize) -> [Declaration; 2] {
        let Self::Dense { inputs, .. } = self;
        [
            Declaration {
                name: format!("inverse.{l}.weight"),
                shape: self.transposed_shape(),
                initial: self.glorot(1.0),
            },
            Declaration {
                name: format!("inverse.{l}.bias"),
                shape: vec![inputs],
                initial: Initial::Zero,
            },
        ]
    }

    /// The shape of a matrix that takes the place of `W_lᵀ`.
    pub(crate) fn transposed_shape(self) -> Vec<i64> {
        let Self::Dense { inputs, outputs } = self;
        vec![inputs, outputs]
    }

    /// The distribution of the weights, times `scale`.
    pub(crate) fn glorot(self, scale: f64) -> Initial {
        let Self::Dense { inputs, outputs } = self;
        Initial::Glorot {
            fan_in: inputs,
            fan_out: outputs,
            scale,
        }
    }
}

impl Layer {
    pub(crate) fn new(map: Map, weight: &Parameter, bias: &Parameter) -> Self {
        Self {
            map,
            weight: weight.value.shallow_clone(),
            bias: bias.value.shallow_clone(),
            weight_gradient: weight.gradient.shallow_clone(),
            bias_gradient: bias.gradient.shallow_clone(),
        }
    }

    pub(crate) fn map(&self) -> Map {
        self.map
    }

    /// `n_l`, the number of units.
    pub fn units(&self) -> i64 {
        self.map.units()
    }

    /// `n_{l-1}`, the number of inputs.
    pub(crate) fn inputs(&self) -> i64 {
        self.map.inputs()
    }

    /// `out = W_l h + b_l`, from `h` (`n_{l-1}`, B) into `out` (`n_l`, B).
    pub fn forward(&self, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        let Map::Dense { outputs, .. } = self.map;
        self.bias
            .f_view([outputs, 1])?
            .f_addmm_out(out, &self.weight, h)
            .map(drop)?;
        Ok(())
    }

    /// `out = W_lᵀ δ`, from `delta` (`n_l`, B) into `out` (`n_{l-1}`, B).
    pub fn transposed(&self, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        self.weight.f_tr()?.f_mm_out(out, delta).map(drop)?;
        Ok(())
    }

    /// `out = B δ` with `feedback` B in the place of `W_lᵀ`, shapes as in
    /// [`Layer::transposed`]. See [`Setup::transposed_feedback`](crate::Setup::transposed_feedback).
    pub fn feedback(&self, feedback: &Tensor, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        let Map::Dense { .. } = self.map;
        feedback.f_mm_out(out, delta).map(drop)?;
        Ok(())
    }

    /// `out = B e`, from `e` (classes, B) into `out`, shaped like `h_l`. See
    /// [`Setup::direct_feedback`](crate::Setup::direct_feedback).
    pub fn project(&self, feedback: &Tensor, e: &Tensor, out: &Tensor) -> Result<(), Error> {
        let Map::Dense { .. } = self.map;
        feedback.f_mm_out(out, e).map(drop)?;
        Ok(())
    }

    /// Writes `δ_l h_{l-1}ᵀ` and the sum of `δ_l` over the batch into the gradients of
    /// `W_l` and `b_l`.
    pub(crate) fn write_gradient(&self, delta: &Tensor, h: &Tensor) -> Result<(), Error> {
        delta
            .f_mm_out(&self.weight_gradient, &h.f_tr()?)
            .map(drop)?;
        delta
            .f_sum_intlist_out(&self.bias_gradient, [1].as_slice(), false, None)
            .map(drop)?;
        Ok(())
    }

    /// Writes zeros into the gradients of `W_l` and `b_l`.
    pub(crate) fn clear_gradient(&self) -> Result<(), Error> {
        self.weight_gradient.shallow_clone().f_zero_().map(drop)?;
        self.bias_gradient.shallow_clone().f_zero_().map(drop)?;
        Ok(())
    }
}

/// `delta ← delta ∘ tanh'(a)`, given `h = tanh(a)`: tanh' = 1 − h².
pub fn tanh_derivative(delta: &Tensor, h: &Tensor) -> Result<(), Error> {
    Tensor::f_tanh_backward_grad_input(delta, delta, h).map(drop)?;
    Ok(())
}
