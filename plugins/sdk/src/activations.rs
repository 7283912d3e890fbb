//! The forward pass: `h_0` to `h_{L-1}` and `a_L`, in buffers for one batch size.

use tch::{Kind, Tensor};

use crate::error::Error;
use crate::layout::Units;
use crate::model::Model;
use crate::seam::copy_f32;

/// What the layers computed for the batch seen last.
///
/// `a_l` of a hidden layer is not kept: tanh overwrites it, and tanh' follows from `h_l`.
pub(crate) struct Activations {
    samples: i64,
    /// `h_0` in the order in which the host lays it out: (B, `n_0`) or (B, C, H, W).
    inputs: Tensor,
    /// `h_0` to `h_{L-1}`, (`n_l`, B); the first shares the memory of `inputs`.
    h: Vec<Tensor>,
    /// `a_L`, (`n_L`, B): what `h_L` is made of it is the task's.
    output: Tensor,
}

impl Activations {
    /// Buffers for batches of `samples`.
    pub(crate) fn new(model: &Model, samples: i64) -> Result<Self, Error> {
        let buffer = |units| Tensor::f_empty([units, samples], (Kind::Float, model.device()));
        let (inputs, first) = match model.input_units() {
            // Matrix products take a transposed operand as it is.
            Units::Flat(units) => {
                let options = (Kind::Float, model.device());
                let inputs = Tensor::f_empty([samples, units], options)?;
                let first = inputs.f_tr()?;
                (inputs, first)
            }
            units @ Units::Image { .. } => {
                let first = buffer(units.count())?;
                (units.by_sample(&first)?, first)
            }
        };
        let mut h = vec![first];
        for l in 1..model.depth() {
            h.push(buffer(model.layer(l).units())?);
        }
        Ok(Self {
            samples,
            inputs,
            h,
            output: buffer(model.outputs())?,
        })
    }

    /// B.
    pub(crate) fn samples(&self) -> i64 {
        self.samples
    }

    /// Computes every layer for `inputs`, (B, C, H, W) row-major.
    pub(crate) fn run(&mut self, model: &Model, inputs: &[f32]) -> Result<(), Error> {
        copy_f32(&self.inputs, inputs)?;
        let last = model.depth();
        for l in 1..last {
            let h = &self.h[l];
            model.layer(l).forward(&self.h[l - 1], h)?;
            h.f_tanh_out(h).map(drop)?;
        }
        model.layer(last).forward(&self.h[last - 1], &self.output)
    }

    /// `h_l` for l < L, (`n_l`, B).
    pub(crate) fn h(&self, l: usize) -> &Tensor {
        &self.h[l]
    }

    /// `a_L`, (`n_L`, B).
    pub(crate) fn output(&self) -> &Tensor {
        &self.output
    }
}
