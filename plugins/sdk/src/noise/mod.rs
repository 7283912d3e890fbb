//! Random numbers of training: the Gaussian noise ε ~ N(0, σ²) of inverses, and the draws that an
//! algorithm declares. They are drawn, or given by a caller.
//!
//! What is drawn is a function of a key, the number of updates before this one and the layer, or the
//! number of the draw; the first two are part of the learner's state, so that a restored learner
//! draws what it would have drawn. It never uses libtorch's random state.

mod draw;
mod normal;
mod philox;

use std::collections::BTreeMap;
use std::rc::Rc;

use assay_abi::ErrorCode;
use safetensors::tensor::{Dtype, SafeTensors};
use tch::{Kind, Tensor};

use crate::card::{self, Argument, Count, Counter, Kernel};
use crate::error::Error;
use crate::layout::Canonical;
use crate::operand::{self, refused};
use crate::tensor_slices::{copy_f32, elements_mut};

pub(crate) use draw::DrawSource;
pub(crate) use draw::Extent;
pub use draw::{Distribution, Draw};

/// Separates the keys of the inverses' noise from every other use of BLAKE3.
const NOISE: &str = "assay 2026-11 key of the noise of training";
/// The same for the draws that an algorithm declares.
const DRAWS: &str = "assay 2026-11 key of an algorithm's draws";

/// A stream of random numbers and how far it has been drawn.
struct Stream {
    /// A scalar `i64`, at least 0: it decides every number together with `step`.
    key: Tensor,
    /// The number of updates made.
    step: Rc<Counter>,
}

impl Stream {
    /// The stream of a learner created with `seed`.
    fn new(context: &str, seed: u64) -> Self {
        let hash = *blake3::Hasher::new_derive_key(context)
            .update(&seed.to_le_bytes())
            .finalize()
            .as_bytes();
        let mut key = [0; 8];
        key.copy_from_slice(&hash[..8]);
        Self {
            // Without the sign: saved counts and keys are never negative.
            key: Tensor::from(i64::from_le_bytes(key) & i64::MAX),
            step: Counter::new(0),
        }
    }

    /// Key and step of the next update. Asking changes nothing.
    fn next(&self) -> Result<(u64, Count), Error> {
        Ok((self.key.f_int64_value(&[])? as u64, self.step.now()?))
    }

    /// Goes on to the update after the next.
    fn advance(&mut self) -> Result<(), Error> {
        self.step.advance(1)
    }

    /// Tensors of the saved state, by name.
    fn state(&self, name: &str) -> [(String, Canonical); 2] {
        let tensors = [
            ("key", self.key.shallow_clone()),
            ("step", self.step.tensor()),
        ];
        tensors.map(|(part, tensor)| (format!("{name}.{part}"), Canonical::from(tensor)))
    }
}

/// The noise of the inverses and how far it has been drawn.
pub(crate) struct NoiseStream {
    /// σ
    scale: f32,
    stream: Stream,
}

impl NoiseStream {
    /// The stream of a learner created with `seed`.
    pub(crate) fn new(seed: u64, scale: f64) -> Self {
        Self {
            scale: scale as f32,
            stream: Stream::new(NOISE, seed),
        }
    }

    /// The noise of the next update. Asking changes nothing.
    pub(crate) fn next(&self) -> Result<Source<'static>, Error> {
        let (key, step) = self.stream.next()?;
        let scale = self.scale;
        Ok(Source::Drawn { scale, key, step })
    }

    /// Goes on to the noise of the update after the next.
    pub(crate) fn advance(&mut self) -> Result<(), Error> {
        self.stream.advance()
    }

    /// The number of updates made.
    pub(crate) fn counter(&self) -> &Rc<Counter> {
        &self.stream.step
    }

    /// Tensors of the saved state, by name.
    pub(crate) fn state(&self) -> [(String, Canonical); 2] {
        self.stream.state("noise")
    }
}

/// The draws that an algorithm declared, and how far they have been drawn.
pub(crate) struct DrawStream {
    draws: Vec<Draw>,
    stream: Stream,
}

impl DrawStream {
    /// The stream of a learner created with `seed`; `None` where nothing was declared.
    pub(crate) fn new(seed: u64, draws: Vec<Draw>) -> Option<Self> {
        (!draws.is_empty()).then(|| Self {
            draws,
            stream: Stream::new(DRAWS, seed),
        })
    }

    /// What was declared, by name.
    pub(crate) fn declared(&self) -> impl Iterator<Item = (String, Extent)> {
        let named = |draw: &Draw| (draw.name().to_owned(), draw.extent().clone());
        self.draws.iter().map(named)
    }

    /// The draws of the next update. Asking changes nothing.
    fn next(&self) -> Result<DrawSource<'static>, Error> {
        let (key, step) = self.stream.next()?;
        Ok(DrawSource::Drawn { key, step })
    }

    /// Goes on to the draws of the update after the next.
    pub(crate) fn advance(&mut self) -> Result<(), Error> {
        self.stream.advance()
    }

    /// The number of updates made.
    pub(crate) fn counter(&self) -> &Rc<Counter> {
        &self.stream.step
    }

    /// Tensors of the saved state, by name.
    pub(crate) fn state(&self) -> [(String, Canonical); 2] {
        self.stream.state("noise.draws")
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
    Drawn { scale: f32, key: u64, step: Count },
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
            Source::Drawn { scale, key, step } => write_normal(key, l as u32, step, scale, out),
            Source::Given(noise) => noise.write(&noise_name(l), out),
        }
    }
}

/// The name under which a caller gives the inverses' noise on `h_l`.
pub(crate) fn noise_name(l: usize) -> String {
    format!("noise.{l}")
}

/// Writes `scale` times the numbers of a key and layer for the update after `step` others.
fn write_normal(key: u64, layer: u32, step: Count, scale: f32, out: &Tensor) -> Result<(), Error> {
    if let Some((card, out, [])) = card::operands(out, [])? {
        let arguments = [
            out.into(),
            Argument::count(out.len()),
            Argument::U64(key),
            Argument::U32(layer),
            step.argument(),
            Argument::F32(scale),
        ];
        let counters = normal::counters(out.len());
        // SAFETY: there are so many elements.
        return unsafe { card.each(Kernel::Normal, counters, arguments) };
    }
    let stream = normal::Stream {
        key,
        layer,
        step: step.value().cast_unsigned(),
    };
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

/// Noise and draws that a caller of `directions` chose, by their names.
pub(crate) struct GivenNoise(BTreeMap<String, (Extent, Tensor)>);

impl GivenNoise {
    /// Reads tensors, already scaled, for exactly what is `needed`, by name: (B, units) with images
    /// in the order (channel, row, column), or shaped like saved weights.
    ///
    /// # Errors
    /// [`ErrorCode::SHAPE`], naming the tensor at fault.
    pub(crate) fn parse(
        bytes: &[u8],
        needed: impl Iterator<Item = (String, Extent)>,
        samples: i64,
    ) -> Result<Self, Error> {
        let refused = |message| Error::new(ErrorCode::SHAPE, message);
        let given = SafeTensors::deserialize(bytes).map_err(|error| {
            refused(format!("the noise cannot be read as safetensors: {error}"))
        })?;
        let mut tensors = BTreeMap::new();
        for (name, extent) in needed {
            let view = given.tensor(&name).map_err(|_| {
                refused(format!(
                    "the noise has no tensor `{name}`, which this network needs"
                ))
            })?;
            let size = extent.saved(samples);
            let expected: Vec<_> = size.iter().map(|&size| size as usize).collect();
            if view.dtype() != Dtype::F32 || view.shape() != expected {
                return Err(refused(format!(
                    "tensor `{name}` is {} {:?}, expected F32 {expected:?}",
                    view.dtype(),
                    view.shape()
                )));
            }
            let values = Tensor::f_from_data_size(view.data(), &size, Kind::Float)?;
            tensors.insert(name, (extent, values));
        }
        let unused = |name: &&str| !tensors.contains_key(*name);
        match given.names().into_iter().find(unused) {
            None => Ok(Self(tensors)),
            Some(name) => Err(refused(format!(
                "the noise has a tensor `{name}`, which this algorithm and network do not use"
            ))),
        }
    }

    fn write(&self, name: &str, out: &Tensor) -> Result<(), Error> {
        let (extent, values) = self
            .0
            .get(name)
            .ok_or_else(|| Error::new(ErrorCode::SHAPE, format!("no tensor `{name}` was given")))?;
        extent.fill(out, values)
    }
}
