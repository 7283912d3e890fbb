//! Trained tensors: one flat buffer of values and one of gradients, seen through named views.
//!
//! Flat, so that the optimiser is one pass over memory however many tensors there are. A view
//! shares its memory with the buffer: what is written through one is seen through the other.

use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::rng::Initial;
use crate::seam::copy_f32;

/// Views start at multiples of 64 bytes, which matrix products like.
const ALIGNMENT: i64 = 16;

/// A tensor to be trained.
pub(crate) struct Declaration {
    pub(crate) name: String,
    pub(crate) shape: Vec<i64>,
    pub(crate) initial: Initial,
}

/// The views of one tensor.
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: Tensor,
    pub(crate) gradient: Tensor,
}

/// A group of tensors that one optimiser trains.
pub(crate) struct Parameters {
    values: Tensor,
    gradients: Tensor,
    offsets: Vec<(i64, Vec<i64>)>,
    tensors: Vec<Parameter>,
}

impl Parameters {
    /// Allocates the tensors of `declarations` and gives them their initial values.
    pub(crate) fn new(
        declarations: Vec<Declaration>,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let mut offsets = Vec::with_capacity(declarations.len());
        let mut size = 0_i64;
        for declaration in &declarations {
            offsets.push((size, declaration.shape.clone()));
            let count: i64 = declaration.shape.iter().product();
            size += (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
        let values = Tensor::f_zeros([size], (Kind::Float, device))?;
        let gradients = values.f_zeros_like()?;
        let tensors = declarations
            .into_iter()
            .zip(&offsets)
            .map(|(declaration, (offset, shape))| {
                let value = view(&values, *offset, shape)?;
                let initial = declaration
                    .initial
                    .values(seed, &declaration.name, value.numel());
                copy_f32(&value, &initial)?;
                Ok(Parameter {
                    name: declaration.name,
                    value,
                    gradient: view(&gradients, *offset, shape)?,
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            values,
            gradients,
            offsets,
            tensors,
        })
    }

    /// Every tensor, in the order of declaration.
    pub(crate) fn tensors(&self) -> &[Parameter] {
        &self.tensors
    }

    /// Every value with its name.
    pub(crate) fn named_values(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.tensors
            .iter()
            .map(|tensor| (tensor.name.clone(), tensor.value.shallow_clone()))
    }

    /// The flat buffers: values, and gradients of the same length.
    pub(crate) fn flat(&mut self) -> (&mut Tensor, &mut Tensor) {
        (&mut self.values, &mut self.gradients)
    }

    /// A flat buffer of zeros as long as the values.
    pub(crate) fn zeros_like(&self) -> Result<Tensor, Error> {
        Ok(self.values.f_zeros_like()?)
    }

    /// The part of a buffer made by [`Parameters::zeros_like`] that belongs to each tensor.
    pub(crate) fn named_views(&self, buffer: &Tensor) -> Result<Vec<(&str, Tensor)>, Error> {
        self.tensors
            .iter()
            .zip(&self.offsets)
            .map(|(tensor, (offset, shape))| {
                Ok((tensor.name.as_str(), view(buffer, *offset, shape)?))
            })
            .collect()
    }

    /// The name of the first tensor, in the order of declaration, with a value that is not
    /// finite.
    pub(crate) fn non_finite(&self) -> Result<Option<&str>, Error> {
        if is_finite(&self.values)? {
            return Ok(None);
        }
        for tensor in &self.tensors {
            if !is_finite(&tensor.value)? {
                return Ok(Some(&tensor.name));
            }
        }
        Ok(None)
    }
}

fn is_finite(tensor: &Tensor) -> Result<bool, Error> {
    Ok(tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0)
}

fn view(buffer: &Tensor, offset: i64, shape: &[i64]) -> Result<Tensor, Error> {
    let count = shape.iter().product();
    Ok(buffer.f_narrow(0, offset, count)?.f_view(shape)?)
}
