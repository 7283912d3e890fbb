//! The Gaussian noise ε ~ N(0, σ²) that inverses are trained with: drawn, or given by a caller.
//!
//! Drawn noise is a function of a key, the number of updates before this one and the layer; the
//! first two are part of the learner's state, so that a restored learner draws what it would have
//! drawn. It never uses libtorch's random state.

mod normal;
mod philox;

use std::collections::BTreeMap;
use std::rc::Rc;

use assay_abi::ErrorCode;
use safetensors::tensor::{Dtype, SafeTensors};
use tch::{Kind, Tensor};

use crate::error::Error;
use crate::layout::{Canonical, Units};
use crate::operand::{self, refused};
use crate::tensor_slices::{copy_f32, elements_mut};

/// Separates the keys from every other use of BLAKE3.
const CONTEXT: &str = "assay 2026-11 key of the noise of training";

/// The learner's own noise and how far it has been drawn.
pub(crate) struct NoiseStream {
    /// σ
    scale: f32,
    /// A scalar `i64`, at least 0: it decides every number together with `step`.
    key: Tensor,
    /// The number of updates made, a scalar `i64`.
    step: Tensor,
}

impl NoiseStream {
    /// The stream of a learner created with `seed`.
    pub(crate) fn new(seed: u64, scale: f64) -> Self {
        let hash = *blake3::Hasher::new_derive_key(CONTEXT)
            .update(&seed.to_le_bytes())
            .finalize()
            .as_bytes();
        let mut key = [0; 8];
        key.copy_from_slice(&hash[..8]);
        Self {
            scale: scale as f32,
            // Without the sign: saved counts and keys are never negative.
            key: Tensor::from(i64::from_le_bytes(key) & i64::MAX),
            step: Tensor::from(0_i64),
        }
    }

    /// The noise of the next update. Asking changes nothing.
    pub(crate) fn next(&self) -> Result<Source<'static>, Error> {
        Ok(Source::Drawn {
            scale: self.scale,
            key: self.key.f_int64_value(&[])? as u64,
            step: self.step.f_int64_value(&[])? as u64,
        })
    }

    /// Goes on to the noise of the update after the next.
    pub(crate) fn advance(&mut self) -> Result<(), Error> {
        self.step.f_add_scalar_(1).map(drop)?;
        Ok(())
    }

    /// Tensors of the saved state, by name.
    pub(crate) fn state(&self) -> [(String, Canonical); 2] {
        [("noise.key", &self.key), ("noise.step", &self.step)]
            .map(|(name, tensor)| (name.to_owned(), Canonical::from(tensor.shallow_clone())))
    }
}

/// The noise of one update.
pub struct Noise<'a> {
    source: Source<'a>,
    /// `n_0` to `n_L`.
    units: Rc<[i64]>,
    /// B.
    samples: i64,
}

/// The origin of noise.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// From the learner's own stream.
    Drawn { scale: f32, key: u64, step: u64 },
    /// From a caller.
    Given(&'a GivenNoise),
}

impl<'a> Noise<'a> {
    /// Noise for a batch of `samples` of a network with `units`, `n_0` to `n_L`.
    pub(crate) fn new(source: Source<'a>, units: Rc<[i64]>, samples: i64) -> Self {
        Self {
            source,
            units,
            samples,
        }
    }

    /// Writes the noise for `h_l` into `out`, contiguous and shaped like `h_l`. Drawn numbers
    /// follow one another in the order of that memory.
    #[track_caller]
    pub fn write(&self, l: usize, out: &Tensor) -> Result<(), Error> {
        let Some(units) = self.units.get(l) else {
            return Err(refused(
                format!("there is no layer {l} to draw noise for"),
                "",
            ));
        };
        operand::shape("an output", out, &[*units, self.samples], || {
            format!(
                "h_{l} has {units} units and the batch {} samples",
                self.samples
            )
        })?;
        match self.source {
            Source::Drawn { scale, key, step } => {
                let layer = l as u32;
                let stream = normal::Stream { key, layer, step };
                draw(stream, scale, out)
            }
            Source::Given(noise) => noise.write(l, out),
        }
    }
}

fn draw(stream: normal::Stream, scale: f32, out: &Tensor) -> Result<(), Error> {
    let mut out = out.shallow_clone();
    // SAFETY: nothing else touches the storage before `fill` has returned.
    if let Some(values) = unsafe { elements_mut(&mut out) } {
        normal::fill(stream, scale, values);
        return Ok(());
    }
    let mut values = vec![0.0; out.numel()];
    normal::fill(stream, scale, &mut values);
    copy_f32(&out, &values)
}

/// Noise that a caller of `directions` chose.
pub(crate) struct GivenNoise(BTreeMap<usize, LayerNoise>);

/// The noise of one layer, (B, `n_l`) in canonical order.
struct LayerNoise {
    units: Units,
    values: Tensor,
}

impl GivenNoise {
    /// Reads `noise.{l}`, (B, `n_l`) and already scaled, images in the order (channel, row,
    /// column), for exactly the `layers`, l and the units of `h_l`.
    ///
    /// # Errors
    /// [`ErrorCode::SHAPE`], naming the tensor at fault.
    pub(crate) fn parse(
        bytes: &[u8],
        layers: impl Iterator<Item = (usize, Units)>,
        samples: i64,
    ) -> Result<Self, Error> {
        let refused = |message| Error::new(ErrorCode::SHAPE, message);
        let given = SafeTensors::deserialize(bytes).map_err(|error| {
            refused(format!("the noise cannot be read as safetensors: {error}"))
        })?;
        let mut tensors = BTreeMap::new();
        for (l, units) in layers {
            let name = format!("noise.{l}");
            let view = given.tensor(&name).map_err(|_| {
                refused(format!(
                    "the noise has no tensor `{name}`, which this network needs"
                ))
            })?;
            let expected = [samples as usize, units.count() as usize];
            if view.dtype() != Dtype::F32 || view.shape() != expected {
                return Err(refused(format!(
                    "tensor `{name}` is {} {:?}, expected F32 {expected:?}",
                    view.dtype(),
                    view.shape()
                )));
            }
            let size = [samples, units.count()];
            let values = Tensor::f_from_data_size(view.data(), &size, Kind::Float)?;
            tensors.insert(l, LayerNoise { units, values });
        }
        let used = |name: &str| tensors.keys().any(|l| name == format!("noise.{l}"));
        match given.names().into_iter().find(|name| !used(name)) {
            None => Ok(Self(tensors)),
            Some(name) => Err(refused(format!(
                "the noise has a tensor `{name}`, which this algorithm and network do not use"
            ))),
        }
    }

    fn write(&self, l: usize, out: &Tensor) -> Result<(), Error> {
        let LayerNoise { units, values } = self.0.get(&l).ok_or_else(|| {
            Error::new(
                ErrorCode::SHAPE,
                format!("no noise was given for layer {l}"),
            )
        })?;
        let mut by_sample = units.by_sample(out)?;
        let values = values.f_view(by_sample.size().as_slice())?;
        by_sample.f_copy_(&values).map(drop)?;
        Ok(())
    }
}
