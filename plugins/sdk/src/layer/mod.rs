//! One layer: the operations that every algorithm is written in.
//!
//! All results go into buffers that the caller owns. Activations are contiguous (units, B); those of
//! a layer that looks at an image have their units in the order (row, column, channel). A layer
//! checks what it is given; which units its weights connect is its [`Map`]'s business.

mod map;
pub(crate) mod matrix;
mod span;
mod windowed;

use std::rc::Rc;

use assay_network::Activation;
use tch::Tensor;

pub(crate) use self::map::Map;
use crate::arithmetic;
use crate::error::Error;
use crate::function::{Function, normalise};
use crate::operand;
use crate::parameters::Parameter;
use crate::sums::sum_over_batch;

/// One layer with its parameters.
///
/// Activations and deltas are contiguous, of 32-bit floats, and have a column for each sample; an
/// output lies apart from what it is computed from. Whatever does not fit is refused.
pub struct Layer {
    map: Rc<Map>,
    activation: Activation,
    weight: Rc<Parameter>,
    bias: Rc<Parameter>,
}

impl Layer {
    /// The layer of a map with its activation and parameters.
    pub(crate) fn new(
        map: Map,
        activation: Activation,
        [weight, bias]: &[Rc<Parameter>; 2],
    ) -> Self {
        Self {
            map: Rc::new(map),
            activation,
            weight: Rc::clone(weight),
            bias: Rc::clone(bias),
        }
    }

    /// The map, which the layer's inverse shares.
    pub(crate) fn map(&self) -> &Rc<Map> {
        &self.map
    }

    /// φ, the function of its units; tanh for the network's outputs.
    pub(crate) fn function(&self) -> Function {
        self.activation.function.into()
    }

    /// True if its values are normalised.
    pub(crate) fn is_normalised(&self) -> bool {
        self.activation.normalised
    }

    /// l
    fn number(&self) -> usize {
        self.weight.layer
    }

    /// True if every unit is connected with every unit below, false for windows on an image.
    pub fn is_dense(&self) -> bool {
        matches!(*self.map, Map::Dense { .. })
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

    /// `out = φ(W_l h + b_l)`, what the layer gives for `h`; shapes as in [`Layer::forward`]. φ is tanh,
    /// or what the network says of the layer (`relu`, `norm`); for the last layer it is tanh.
    #[track_caller]
    pub fn forward_activated(&self, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        self.apply(self.function(), h, out)?;
        self.normalise(out)
    }

    /// `sums ← φ(sums)`, (`n_l`, N), with the φ of [`Layer::forward_activated`].
    #[track_caller]
    pub fn activate(&self, sums: &Tensor) -> Result<(), Error> {
        self.check_own("sums", sums)?;
        self.function().apply_to(sums)?;
        self.normalise(sums)
    }

    fn normalise(&self, values: &Tensor) -> Result<(), Error> {
        if self.is_normalised() {
            return normalise(values);
        }
        Ok(())
    }

    /// `delta ← delta ∘ φ'(a)`, given any `h = φ(a)` of this layer; both are (`n_l`, N), contiguous, and
    /// lie apart. For the activations of the batch itself see
    /// [`Pass::derivative`](crate::Pass::derivative).
    ///
    /// # Errors
    /// Another shape, or a layer whose values are normalised: those of a unit depend on all others.
    #[track_caller]
    pub fn derivative(&self, delta: &Tensor, h: &Tensor) -> Result<(), Error> {
        if self.is_normalised() {
            let message = format!(
                "layer {} is normalised, so it has no derivative unit by unit",
                self.number()
            );
            return Err(operand::refused(
                message,
                "declare the refusal of such networks (`NetworkKind::Normalised`), or use `Pass::derivative`",
            ));
        }
        self.check_own("a delta", delta)?;
        self.function().derivative(delta, h)
    }

    /// Refuses all but (`n_l`, N).
    #[track_caller]
    fn check_own(&self, role: &str, tensor: &Tensor) -> Result<(), Error> {
        let (l, units) = (self.number(), self.units());
        operand::columns(role, tensor, units, || {
            format!("layer {l} has {units} outputs")
        })
        .map(drop)
    }

    #[track_caller]
    fn apply(&self, function: Function, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        let map = format_args!("layer {}", self.number());
        let units = [self.inputs(), self.units()];
        operand::mapped(map, units, ("an input", h), out)?;
        let (weight, bias) = (&self.weight.value, &self.bias.value);
        self.map.forward(weight, Some(bias), function, h, out)
    }

    /// `out = W_l h`, without the bias; shapes as in [`Layer::forward`].
    #[track_caller]
    pub fn linear(&self, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        let map = format_args!("layer {}", self.number());
        operand::mapped(map, [self.inputs(), self.units()], ("an input", h), out)?;
        let weight = &self.weight.value;
        self.map.forward(weight, None, Function::Identity, h, out)
    }

    /// `W_l`, to be read only: a step of the optimiser is all that changes it. (`n_l`, `n_{l-1}`) for
    /// a dense layer; for one with windows its axes are (O, k, k, C), and before them row and column
    /// where every position has weights of its own.
    pub fn weight(&self) -> &Tensor {
        &self.weight.value
    }

    /// `b_l`, to be read only: (`n_l`), or one for each channel where positions share it.
    pub fn bias(&self) -> &Tensor {
        &self.bias.value
    }

    /// `out = U h + c` with any `pair` of U, shaped like [`Layer::weight`], and c, shaped like
    /// [`Layer::bias`]; shapes as in [`Layer::forward`].
    #[track_caller]
    pub fn affine_by(&self, pair: &[Tensor; 2], h: &Tensor, out: &Tensor) -> Result<(), Error> {
        let [weight, bias] = pair;
        self.check_weight(weight)?;
        self.check_bias(bias)?;
        let map = format_args!("layer {}", self.number());
        operand::mapped(map, [self.inputs(), self.units()], ("an input", h), out)?;
        self.map
            .forward(weight, Some(bias), Function::Identity, h, out)
    }

    #[track_caller]
    fn check_bias(&self, bias: &Tensor) -> Result<(), Error> {
        operand::shape("a bias", bias, &self.bias.value.size(), || {
            format!("layer {} has biases of that shape", self.number())
        })
    }

    #[track_caller]
    fn check_weight(&self, weight: &Tensor) -> Result<(), Error> {
        let layout = self.map.weight_layout();
        operand::shape("a weight", weight, layout.operand(), || {
            format!("layer {} has weights of that shape", self.number())
        })
    }

    /// `out = Uᵀ δ` with any `weight` U of the shape of [`Layer::weight`] in the place of `W_l`;
    /// shapes as in [`Layer::transposed`].
    #[track_caller]
    pub fn transposed_by(
        &self,
        weight: &Tensor,
        delta: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        self.check_weight(weight)?;
        self.check_backwards(delta, out)?;
        self.map.transposed(weight, delta, out)
    }

    /// The standard deviation of the first weights: `√(2 / (fan-in + fan-out))` (Glorot & Bengio 2010),
    /// of one position for a layer with windows.
    pub fn initial_deviation(&self) -> f64 {
        let (fan_in, fan_out) = self.map.fans();
        (2.0 / (fan_in + fan_out) as f64).sqrt()
    }

    /// `out = W_lᵀ δ`, from `delta` (`n_l`, B) into `out` (`n_{l-1}`, B).
    #[track_caller]
    pub fn transposed(&self, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        self.check_backwards(delta, out)?;
        self.map.transposed(&self.weight.value, delta, out)
    }

    /// `out = B δ` with `feedback` B in the place of `W_lᵀ`, shapes as in
    /// [`Layer::transposed`]. See [`Setup::transposed_feedback`](crate::Setup::transposed_feedback).
    #[track_caller]
    pub fn feedback(&self, feedback: &Tensor, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        let layout = self.map.feedback_layout();
        operand::shape("a transposed feedback", feedback, layout.operand(), || {
            let (from, to) = (self.units(), self.inputs());
            format!(
                "layer {} goes back from {from} units to {to}",
                self.number()
            )
        })?;
        self.check_backwards(delta, out)?;
        let function = Function::Identity;
        self.map.feedback(feedback, None, function, delta, out)
    }

    /// Refuses all but `delta` (`n_l`, B) and `out` (`n_{l-1}`, B).
    #[track_caller]
    fn check_backwards(&self, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        let map = format_args!("layer {} backwards", self.number());
        let units = [self.units(), self.inputs()];
        operand::mapped(map, units, ("a delta", delta), out)
    }

    /// `out = B e`, from `e` (`n_L`, B) into `out`, shaped like `h_l`. See
    /// [`Setup::direct_feedback`](crate::Setup::direct_feedback).
    #[track_caller]
    pub fn project(&self, feedback: &Tensor, e: &Tensor, out: &Tensor) -> Result<(), Error> {
        let (l, units) = (self.number(), self.units());
        let reason = || format!("layer {l} has {units} outputs");
        let outputs = operand::columns("a direct feedback", feedback, units, reason)?;
        let map = format_args!("the direct feedback of layer {l}");
        operand::mapped(map, [outputs, units], ("an error", e), out)?;
        matrix::affine(feedback, None, Function::Identity, e, out)
    }

    /// Writes `δ_l h_{l-1}ᵀ` and the sum of `δ_l` over the batch into the gradients of
    /// `W_l` and `b_l`.
    pub(crate) fn write_gradient(&self, delta: &Tensor, h: &Tensor) -> Result<(), Error> {
        self.map.weight_gradient(delta, h, &self.weight.gradient)?;
        // Positions that share a bias lie as far apart as there are biases.
        sum_over_batch(delta, &self.bias.gradient)
    }

    /// Writes the gradients of `W_l` and `b_l` as they are.
    #[track_caller]
    pub(crate) fn set_gradient(&self, weight: &Tensor, bias: &Tensor) -> Result<(), Error> {
        self.check_weight(weight)?;
        self.check_bias(bias)?;
        let given = [(&self.weight, weight), (&self.bias, bias)];
        for (parameter, direction) in given {
            arithmetic::copy(direction, &parameter.gradient)?;
        }
        Ok(())
    }

    /// Writes zeros into the gradients of `W_l` and `b_l`.
    pub(crate) fn clear_gradient(&self) -> Result<(), Error> {
        for parameter in [&self.weight, &self.bias] {
            arithmetic::clear(&parameter.gradient)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
