//! Functions of units (the identity, tanh, or the positive part) with their derivatives, the
//! normalisation of a layer's values, the softmax, and the logistic function.
//!
//! On a CPU, and with the kernels of a card, all are the SDK's own, element by element, so neither the
//! processor's vectors nor threads change a bit; all else, and floats of 64 bits, is left to libtorch.

mod exponential;
mod normalisation;
mod polynomial;
mod relu;
mod softmax;
mod tanh;

use assay_network::UnitFunction;
use tch::Tensor;

use crate::card::{self, Argument, Elements, Kernel};
use crate::error::Error;
use crate::instructions;
use crate::operand;
use crate::tensor_slices::slices;
use crate::workers;

pub(crate) use normalisation::{Normalised, normalise};
pub(crate) use softmax::{Denominators, softmax};

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// The number of the logistic function among the kernels' functions.
const LOGISTIC: i32 = 3;

/// The function of a layer's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// A sum as it is.
    Identity,
    Tanh,
    /// The positive part.
    Relu,
}

impl From<UnitFunction> for Function {
    fn from(function: UnitFunction) -> Self {
        match function {
            UnitFunction::Tanh => Self::Tanh,
            UnitFunction::Relu => Self::Relu,
        }
    }
}

impl Function {
    /// Overwrites sums, on this thread: right after they were computed, while they are in the cache.
    pub(crate) fn apply(self, sums: &mut [f32]) {
        match self {
            Self::Identity => {}
            Self::Tanh => instructions::run(tanh::Tanh(sums)),
            Self::Relu => instructions::run(relu::Relu(sums)),
        }
    }

    /// Its number among the functions of the kernels.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Identity => 0,
            Self::Tanh => 1,
            Self::Relu => 2,
        }
    }

    /// Overwrites the sums of a whole tensor.
    pub(crate) fn apply_to(self, sums: &Tensor) -> Result<(), Error> {
        if self == Self::Identity {
            return Ok(());
        }
        if let Some((card, sums, [])) = card::operands(sums, [])? {
            return apply_on(&card, self.number(), sums);
        }
        // SAFETY: nothing else uses this tensor meanwhile.
        match unsafe { slices(sums, []) }? {
            Some((sums, [])) => {
                workers::share(sums.chunks_mut(CHUNK), || (), |(), sums| self.apply(sums));
            }
            None => match self {
                Self::Identity => {}
                Self::Tanh => sums.f_tanh_out(sums).map(drop)?,
                Self::Relu => sums.f_relu_out(sums).map(drop)?,
            },
        }
        Ok(())
    }

    /// `delta ← delta ∘ φ'(a)`, given `h = φ(a)`: 1 − h² for tanh, and for the positive part 1 where h
    /// is above zero. Both are contiguous, of one shape, and lie apart.
    #[track_caller]
    pub(crate) fn derivative(self, delta: &Tensor, h: &Tensor) -> Result<(), Error> {
        let reason = || "the derivative of a function is taken unit by unit".to_owned();
        let size = operand::size("a delta", delta, &reason)?;
        operand::shape("an activation", h, &size, reason)?;
        self.multiply_derivative(delta, h)
    }

    /// [`Function::derivative`] of tensors that are known to fit.
    #[track_caller]
    pub(crate) fn multiply_derivative(self, delta: &Tensor, h: &Tensor) -> Result<(), Error> {
        if let Some((card, delta, [h])) = card::operands(delta, [h])?
            && delta.len() == h.len()
        {
            return card.multiply_derivative(self, delta, h);
        }
        // SAFETY: only this function uses the slices.
        match (unsafe { slices(delta, [h]) }?, self) {
            (Some((delta, [h])), _) if delta.len() == h.len() => workers::share(
                delta.chunks_mut(CHUNK).zip(h.chunks(CHUNK)),
                || (),
                |(), (delta, h)| self.apply_derivative(delta, h),
            ),
            (_, Self::Identity) => {}
            (_, Self::Relu) => delta
                .shallow_clone()
                .f_masked_fill_(&h.f_le(0.0)?, 0.0)
                .map(drop)?,
            (_, Self::Tanh) => Tensor::f_tanh_backward_grad_input(delta, delta, h).map(drop)?,
        }
        Ok(())
    }

    /// `delta ← delta ∘ φ'(a)` of as many values, on this thread.
    fn apply_derivative(self, delta: &mut [f32], h: &[f32]) {
        match self {
            Self::Identity => {}
            Self::Tanh => instructions::run(tanh::Derivative { delta, h }),
            Self::Relu => instructions::run(relu::Derivative { delta, h }),
        }
    }
}

/// Overwrites values on a card by the kernels' function of a number.
fn apply_on(card: &card::Card, function: i32, values: Elements<'_>) -> Result<(), Error> {
    let count = values.len();
    let arguments = [
        values.into(),
        Argument::count(count),
        Argument::I32(function),
    ];
    // SAFETY: there are so many elements.
    unsafe { card.each(Kernel::ApplyFunction, count, arguments) }
}

/// Overwrites every value z by `1 / (1 + e⁻ᶻ)`.
pub(crate) fn logistic(values: &Tensor) -> Result<(), Error> {
    if let Some((card, values, [])) = card::operands(values, [])? {
        return apply_on(&card, LOGISTIC, values);
    }
    // SAFETY: nothing else uses this tensor meanwhile.
    match unsafe { slices(values, []) }? {
        Some((values, [])) => workers::share(
            values.chunks_mut(CHUNK),
            || (),
            |(), values| instructions::run(exponential::Logistic(values)),
        ),
        None => values.shallow_clone().f_sigmoid_().map(drop)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests;
