//! The forward pass: `h_0` to `h_{L-1}` and `a_L`, in buffers for one batch size.

use tch::{Kind, Tensor};

use crate::arithmetic::is_finite;
use crate::error::Error;
use crate::function::Normalised;
use crate::layer::Layer;
use crate::model::Model;
use crate::product::Transpose;
use crate::samples::Samples;
use crate::tensor_slices::{copy_f32, slices};

/// Outputs of the layers for the batch of the last forward pass.
///
/// `a_l` of a hidden layer is not kept: φ overwrites it, and φ' follows from its value.
pub(crate) struct Activations {
    samples: i64,
    /// `h_0` in the order in which the host lays it out, (B, `n_0`) or (B, C, H, W): a view.
    inputs: Tensor,
    /// `h_0` to `h_{L-1}`, (`n_l`, B).
    h: Vec<Tensor>,
    /// For each of `h` whether and how it was normalised.
    normalised: Vec<Option<Normalised>>,
    /// `a_L`, (`n_L`, B); the task decides how `h_L` is computed from it.
    output: Tensor,
}

impl Activations {
    /// Buffers for batches of `samples`.
    pub(crate) fn new(model: &Model, samples: i64) -> Result<Self, Error> {
        let buffer = |units| Tensor::f_empty([units, samples], (Kind::Float, model.device()));
        let first = buffer(model.inputs())?;
        let inputs = model.input_units().by_sample(&first)?;
        let (mut h, mut normalised) = (vec![first], vec![None]);
        for l in 1..model.depth() {
            let layer = model.layer(l);
            let values = buffer(layer.units())?;
            normalised.push(if layer.is_normalised() {
                Some(Normalised::like(&values)?)
            } else {
                None
            });
            h.push(values);
        }
        Ok(Self {
            samples,
            inputs,
            h,
            normalised,
            output: buffer(model.outputs())?,
        })
    }

    /// B.
    pub(crate) fn samples(&self) -> i64 {
        self.samples
    }

    /// Computes every layer for the images of as many `samples`.
    pub(crate) fn run(&mut self, model: &Model, samples: Samples<'_>) -> Result<(), Error> {
        match samples {
            Samples::Lent(lent) => self.take(model, lent.inputs)?,
            Samples::Kept(kept) => {
                kept.write_images(&self.h[0], model.input_units().are_interleaved())?;
            }
        }
        let last = model.depth();
        for l in 1..last {
            let (layer, below, values) = (model.layer(l), &self.h[l - 1], &self.h[l]);
            match &self.normalised[l] {
                None => layer.forward_activated(below, values)?,
                Some(normalised) => {
                    layer.forward(below, values)?;
                    layer.function().apply_to(values)?;
                    normalised.take(values)?;
                }
            }
        }
        model.layer(last).forward(&self.h[last - 1], &self.output)
    }

    /// `h_0` from inputs as the host lays them out.
    fn take(&self, model: &Model, inputs: &[f32]) -> Result<(), Error> {
        let planes = model.input_units().planes();
        let [channels, units] = planes.map(|size| size as usize);
        let samples = self.samples as usize;
        // SAFETY: nothing else uses this buffer while it is filled.
        match unsafe { slices(&self.h[0], []) }? {
            Some((h, [])) if h.len() == inputs.len() => {
                let transpose = Transpose {
                    rows: samples,
                    columns: units,
                    from_row: channels * units,
                    to_row: channels * samples,
                };
                for channel in 0..channels {
                    transpose.run(&mut h[channel * samples..], &inputs[channel * units..]);
                }
                Ok(())
            }
            _ => copy_f32(&self.inputs, inputs),
        }
    }

    /// The first layer that gave a value that is not finite, for the batch seen last.
    pub(crate) fn non_finite(&self) -> Result<Option<usize>, Error> {
        let given = self.h.iter().skip(1).chain([&self.output]);
        for (l, values) in (1..).zip(given) {
            if !is_finite(values)? {
                return Ok(Some(l));
            }
        }
        Ok(None)
    }

    /// `h_0` to `h_{L-1}` and `a_L`.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Tensor> {
        self.h.iter().chain([&self.output])
    }

    /// `h_l` for l < L, (`n_l`, B).
    pub(crate) fn h(&self, l: usize) -> &Tensor {
        &self.h[l]
    }

    /// `delta ← J_lᵀ delta` with J the Jacobian of `h_l` by `a_l`, l from 1 to L − 1; (`n_l`, B).
    #[track_caller]
    pub(crate) fn transposed_jacobian(
        &self,
        layer: &Layer,
        l: usize,
        delta: &Tensor,
    ) -> Result<(), Error> {
        match &self.normalised[l] {
            None => layer.function().multiply_derivative(delta, &self.h[l]),
            Some(normalised) => {
                normalised.multiply_jacobian(delta, &self.h[l])?;
                layer
                    .function()
                    .multiply_derivative(delta, &normalised.before)
            }
        }
    }

    /// `tangent ← J_l tangent`, as for [`Activations::transposed_jacobian`].
    #[track_caller]
    pub(crate) fn jacobian(&self, layer: &Layer, l: usize, tangent: &Tensor) -> Result<(), Error> {
        match &self.normalised[l] {
            None => layer.function().multiply_derivative(tangent, &self.h[l]),
            Some(normalised) => {
                layer
                    .function()
                    .multiply_derivative(tangent, &normalised.before)?;
                normalised.multiply_jacobian(tangent, &self.h[l])
            }
        }
    }

    /// `a_L`, (`n_L`, B).
    pub(crate) fn output(&self) -> &Tensor {
        &self.output
    }
}
