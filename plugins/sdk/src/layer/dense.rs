//! The fully connected map: every unit to every input.

use tch::Tensor;

use super::{matrix, sum_over_batch};
use crate::error::Error;
use crate::layout::{Layout, Units};
use crate::product::Transposed;
use crate::rng::Initial;

/// A dense map. Its weights are a matrix (`n_l`, `n_{l-1}`).
#[derive(Debug)]
pub(crate) struct Dense {
    pub(super) inputs: Units,
    pub(super) outputs: Units,
    by_sample: Transposed,
}

impl Dense {
    pub(super) fn new(inputs: Units, outputs: Units) -> Self {
        Self {
            inputs,
            outputs,
            by_sample: Transposed::default(),
        }
    }

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

    /// The outer product into W or V, whose rows are the units of `delta`.
    pub(super) fn weight_gradient(
        &self,
        delta: &Tensor,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        matrix::outer(delta, h, out, &self.by_sample)
    }

    pub(super) fn bias_gradient(delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        sum_over_batch(delta, &[1], out)
    }
}
