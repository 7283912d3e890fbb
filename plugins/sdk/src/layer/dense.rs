//! The fully connected map: every unit to every input.

use tch::Tensor;

use super::sum_over_batch;
use crate::error::Error;
use crate::layout::{Layout, Units};
use crate::rng::Initial;

/// A dense map. Its weights are a matrix (`n_l`, `n_{l-1}`).
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(super) inputs: Units,
    pub(super) outputs: Units,
}

impl Dense {
    pub(super) fn weight(&self) -> Layout {
        Layout::matrix(self.outputs, self.inputs)
    }

    pub(super) fn bias(&self) -> Layout {
        Layout::units(self.outputs)
    }

    /// A matrix in the place of `W_lᵀ`.
    pub(super) fn feedback_weight(&self) -> Layout {
        Layout::matrix(self.inputs, self.outputs)
    }

    pub(super) fn glorot(&self, scale: f64) -> Initial {
        Initial::Glorot {
            fan_in: self.inputs.count(),
            fan_out: self.outputs.count(),
            scale,
        }
    }

    pub(super) fn forward(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        bias.f_view([self.outputs.count(), 1])?
            .f_addmm_out(out, weight, h)
            .map(drop)?;
        Ok(())
    }

    pub(super) fn inverse(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        u: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        bias.f_view([self.inputs.count(), 1])?
            .f_addmm_out(out, weight, u)
            .map(drop)?;
        Ok(())
    }

    pub(super) fn transposed(weight: &Tensor, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        weight.f_tr()?.f_mm_out(out, delta).map(drop)?;
        Ok(())
    }

    pub(super) fn feedback(feedback: &Tensor, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        feedback.f_mm_out(out, delta).map(drop)?;
        Ok(())
    }

    pub(super) fn weight_gradient(delta: &Tensor, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        delta.f_mm_out(out, &h.f_tr()?).map(drop)?;
        Ok(())
    }

    pub(super) fn bias_gradient(delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        sum_over_batch(delta, &[1], out)
    }
}
