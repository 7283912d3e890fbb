//! Activation functions of units: the identity, or tanh; and the derivative of tanh.
//!
//! On a CPU both are the SDK's own, element by element, so neither the processor's vectors nor
//! threads change a bit; other devices, and floats of 64 bits, are left to libtorch.

mod instructions;
mod tanh;

use tch::Tensor;

use crate::error::Error;
use crate::operand;
use crate::tensor_slices::slices;
use crate::workers;

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// The function of a layer's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// A sum as it is.
    Identity,
    Tanh,
}

impl Function {
    /// Overwrites sums, on this thread: right after they were computed, while they are in the cache.
    pub(crate) fn apply(self, sums: &mut [f32]) {
        match self {
            Self::Identity => {}
            Self::Tanh => instructions::run(tanh::Tanh(sums)),
        }
    }

    /// Overwrites the sums of a whole tensor.
    pub(crate) fn apply_to(self, sums: &Tensor) -> Result<(), Error> {
        if self == Self::Identity {
            return Ok(());
        }
        // SAFETY: nothing else uses this tensor meanwhile.
        match unsafe { slices(sums, []) }? {
            Some((sums, [])) => {
                workers::share(sums.chunks_mut(CHUNK), || (), |(), sums| self.apply(sums));
            }
            None => sums.f_tanh_out(sums).map(drop)?,
        }
        Ok(())
    }
}

/// `sums ← tanh(sums)`
pub fn tanh(sums: &Tensor) -> Result<(), Error> {
    Function::Tanh.apply_to(sums)
}

/// `delta ← delta ∘ tanh'(a)`, given `h = tanh(a)`: tanh' = 1 − h². Both are contiguous, of one
/// shape, and lie apart.
#[track_caller]
pub fn tanh_derivative(delta: &Tensor, h: &Tensor) -> Result<(), Error> {
    let reason = || "the derivative of tanh is taken unit by unit".to_owned();
    let size = operand::size("a delta", delta, &reason)?;
    operand::shape("an activation", h, &size, reason)?;
    multiply_derivative(delta, h)
}

/// [`tanh_derivative`] of tensors that are known to fit.
#[track_caller]
pub(crate) fn multiply_derivative(delta: &Tensor, h: &Tensor) -> Result<(), Error> {
    // SAFETY: only this function uses the slices.
    match unsafe { slices(delta, [h]) }? {
        Some((delta, [h])) if delta.len() == h.len() => {
            workers::share(
                delta.chunks_mut(CHUNK).zip(h.chunks(CHUNK)),
                || (),
                |(), (delta, h)| instructions::run(tanh::Derivative { delta, h }),
            );
        }
        _ => Tensor::f_tanh_backward_grad_input(delta, delta, h).map(drop)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests;
