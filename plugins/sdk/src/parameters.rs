//! Trained tensors: one flat buffer of values and one of gradients, seen through named views.
//!
//! Flat, so that the optimiser is one pass over memory however many tensors there are. A view
//! shares its memory with the buffer: what is written through one is seen through the other.

use std::ops::Range;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use crate::arithmetic::is_finite;
use crate::error::Error;
use crate::layout::{Canonical, Layout};
use crate::optimiser::{Finite, Optimiser, OptimiserState};
use crate::rng::Initial;
use crate::tensor_slices::copy_f32;

/// Views start at multiples of 64 bytes, which matrix products like.
const ALIGNMENT: i64 = 16;

/// A tensor to be trained.
pub(crate) struct Declaration {
    pub(crate) name: String,
    /// l, the layer that it is of.
    pub(crate) layer: usize,
    pub(crate) layout: Layout,
    pub(crate) initial: Initial,
}

impl Declaration {
    /// Weight and bias of layer l in a group: `{group}.{l}.weight`, and `{group}.{l}.bias` of zeros.
    pub(crate) fn pair(
        group: &str,
        l: usize,
        weight: Layout,
        bias: Layout,
        initial: Initial,
    ) -> [Self; 2] {
        [("weight", weight, initial), ("bias", bias, Initial::Zero)].map(
            |(part, layout, initial)| Self {
                name: format!("{group}.{l}.{part}"),
                layer: l,
                layout,
                initial,
            },
        )
    }
}

/// The views of one tensor, in the shape that kernels see.
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// l, the layer that it is of.
    pub(crate) layer: usize,
    pub(crate) value: Tensor,
    pub(crate) gradient: Tensor,
}

/// A group of tensors that one optimiser trains.
pub(crate) struct Parameters {
    values: Tensor,
    gradients: Tensor,
    offsets: Vec<(i64, Layout)>,
    tensors: Vec<Rc<Parameter>>,
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
            offsets.push((size, declaration.layout.clone()));
            let count = declaration.layout.count();
            size += (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
        let values = Tensor::f_zeros([size], (Kind::Float, device))?;
        let gradients = values.f_zeros_like()?;
        let tensors = declarations
            .into_iter()
            .zip(&offsets)
            .map(|(declaration, (offset, layout))| {
                let value = view(&values, *offset, layout)?;
                let initial = declaration
                    .initial
                    .values(seed, &declaration.name, value.numel());
                copy_f32(layout.canonical(&value)?.view(), &initial)?;
                Ok(Rc::new(Parameter {
                    name: declaration.name,
                    layer: declaration.layer,
                    value,
                    gradient: view(&gradients, *offset, layout)?,
                }))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            values,
            gradients,
            offsets,
            tensors,
        })
    }

    /// Weight and bias of every layer, in the order of declaration.
    pub(crate) fn pairs(&self) -> &[[Rc<Parameter>; 2]] {
        self.tensors.as_chunks().0
    }

    /// Every tensor, in the order of declaration.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &Rc<Parameter>> {
        self.tensors.iter()
    }

    /// The flat buffers: values, and gradients of the same length.
    pub(crate) fn flat(&mut self) -> (&mut Tensor, &mut Tensor) {
        (&mut self.values, &mut self.gradients)
    }

    /// The flat buffers in pieces, each of neighbouring tensors for whose layers `of_layer` gives the same.
    pub(crate) fn by_layer<F: PartialEq>(
        &self,
        of_layer: impl Fn(usize) -> Result<F, Error>,
    ) -> Result<Vec<(Range<usize>, F)>, Error> {
        let mut pieces: Vec<(Range<usize>, F)> = Vec::new();
        let starts = self.offsets.iter().map(|(start, _)| *start as usize);
        let ends = starts.clone().skip(1).chain([self.values.numel()]);
        for ((start, end), tensor) in starts.zip(ends).zip(&self.tensors) {
            let of_tensor = of_layer(tensor.layer)?;
            match pieces.last_mut() {
                Some((elements, of_last)) if *of_last == of_tensor => elements.end = end,
                _ => pieces.push((start..end, of_tensor)),
            }
        }
        Ok(pieces)
    }

    /// A flat buffer of zeros as long as the values.
    pub(crate) fn zeros_like(&self) -> Result<Tensor, Error> {
        Ok(self.values.f_zeros_like()?)
    }

    /// The values of every tensor, as they are saved.
    pub(crate) fn named_values(&self) -> Result<Vec<(String, Canonical)>, Error> {
        let values = self.named_views(&self.values)?;
        let owned = |(name, value): (&str, _)| (name.to_owned(), value);
        Ok(values.into_iter().map(owned).collect())
    }

    /// The gradients of every tensor, as they are saved.
    pub(crate) fn named_gradients(&self) -> Result<Vec<(&str, Canonical)>, Error> {
        self.named_views(&self.gradients)
    }

    /// The part of a buffer made by [`Parameters::zeros_like`] that belongs to each tensor, as
    /// it is saved.
    pub(crate) fn named_views(&self, buffer: &Tensor) -> Result<Vec<(&str, Canonical)>, Error> {
        self.tensors
            .iter()
            .zip(&self.offsets)
            .map(|(tensor, (offset, layout))| {
                let part = view(buffer, *offset, layout)?;
                Ok((tensor.name.as_str(), layout.canonical(&part)?))
            })
            .collect()
    }

    /// The first tensor, in the order of declaration, whose gradient has a value that is not finite.
    pub(crate) fn non_finite_gradient(&self) -> Result<Option<&Parameter>, Error> {
        for tensor in &self.tensors {
            if !is_finite(&tensor.gradient)? {
                return Ok(Some(tensor));
            }
        }
        Ok(None)
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

/// Trained maps that one optimiser moves.
pub(crate) struct Group {
    /// The prefix of its tensors' names.
    pub(crate) name: &'static str,
    pub(crate) parameters: Parameters,
    pub(crate) optimiser: OptimiserState,
}

impl Group {
    /// The tensors of a group before its first step.
    pub(crate) fn new(
        name: &'static str,
        parameters: Parameters,
        optimiser: &Optimiser,
    ) -> Result<Self, Error> {
        Ok(Self {
            name,
            optimiser: OptimiserState::new(optimiser, &parameters)?,
            parameters,
        })
    }

    /// The names of the weights, one for each map.
    pub(crate) fn maps(&self) -> impl Iterator<Item = &str> {
        let names = self.parameters.tensors().map(|tensor| tensor.name.as_str());
        names.filter(|name| name.ends_with(".weight"))
    }

    /// Moves the maps against their directions; see [`OptimiserState::step`].
    pub(crate) fn step(&mut self) -> Result<Finite, Error> {
        self.optimiser.step(&mut self.parameters)
    }

    /// Tensors of the saved state, by name.
    pub(crate) fn state(&self) -> Result<Vec<(String, Canonical)>, Error> {
        let mut state = self.optimiser.state(self.name, &self.parameters)?;
        state.extend(self.parameters.named_values()?);
        Ok(state)
    }
}

fn view(buffer: &Tensor, offset: i64, layout: &Layout) -> Result<Tensor, Error> {
    let part = buffer.f_narrow(0, offset, layout.count())?;
    Ok(part.f_view(layout.operand())?)
}
