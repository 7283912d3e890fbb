//! The tensors and draws of a rule, as it declares them.

use std::rc::Rc;

use assay_network::Network;
use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::layout::{Canonical, Layout, Units};
use crate::noise::{Distribution, Draw, Extent};
use crate::operand::{self, refused};
use crate::parameters::{Declaration, Parameter, Parameters};
use crate::rng::Initial;
use crate::tensor_slices::copy_f32;

/// Beginnings of names that are the SDK's own in a saved state.
const TAKEN: [&str; 2] = ["optimiser.", "noise."];

/// The first values of a tensor; they depend on the seed and the tensor's name only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum First {
    /// All zero.
    Zero,
    /// Uniform on ± this.
    Uniform(f64),
    /// Glorot-uniform, times this: uniform on ±√(6/(rows + columns)), a vector having one column.
    Glorot(f64),
}

/// Name, shape and first values of a tensor that a rule declares.
#[derive(Clone, Debug)]
pub struct NewTensor {
    name: String,
    shape: Vec<i64>,
    first: First,
}

impl NewTensor {
    /// A matrix (`rows`, `columns`).
    pub fn matrix(name: impl Into<String>, rows: i64, columns: i64, first: First) -> Self {
        Self {
            name: name.into(),
            shape: vec![rows, columns],
            first,
        }
    }

    /// A vector of `values` numbers.
    pub fn vector(name: impl Into<String>, values: i64, first: First) -> Self {
        Self {
            name: name.into(),
            shape: vec![values],
            first,
        }
    }

    fn initial(&self) -> Initial {
        match self.first {
            First::Zero => Initial::Zero,
            First::Uniform(limit) => Initial::Uniform { limit },
            First::Glorot(scale) => Initial::Glorot {
                fan_in: self.shape.get(1).copied().unwrap_or(1),
                fan_out: self.shape.first().copied().unwrap_or(1),
                scale,
            },
        }
    }
}

/// A tensor that the rule's optimiser moves.
#[derive(Clone)]
pub struct Trained(Rc<Parameter>);

impl Trained {
    /// Its value, to be read only: a step of the optimiser is all that changes it.
    pub fn value(&self) -> &Tensor {
        &self.0.value
    }

    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    #[track_caller]
    pub(super) fn write(&self, direction: &Tensor) -> Result<(), Error> {
        let shape = self.0.gradient.size();
        operand::shape("a direction", direction, &shape, || {
            format!("`{}` has that shape", self.name())
        })?;
        let mut gradient = self.0.gradient.shallow_clone();
        gradient.f_copy_(direction).map(drop)?;
        Ok(())
    }
}

/// The maker of everything that a rule keeps. All of it is saved and restored with the learner, under the
/// names given here.
pub struct Declarations<'a> {
    rule: &'static str,
    network: &'a Network,
    seed: u64,
    device: Device,
    pub(super) trained: Option<Parameters>,
    pub(super) fixed: Vec<(String, Canonical)>,
    pub(super) draws: Vec<Draw>,
}

impl<'a> Declarations<'a> {
    pub(super) fn new(rule: &'static str, network: &'a Network, seed: u64, device: Device) -> Self {
        Self {
            rule,
            network,
            seed,
            device,
            trained: None,
            fixed: Vec::new(),
            draws: Vec::new(),
        }
    }

    /// The network of the pipeline file: what it takes and gives, and its layers.
    pub fn network(&self) -> &'a Network {
        self.network
    }

    /// `n_0`, the number of values of one input.
    pub fn inputs(&self) -> i64 {
        self.network.input().units() as i64
    }

    /// `n_L`, the number of outputs.
    pub fn outputs(&self) -> i64 {
        self.network.outputs() as i64
    }

    /// Tensors that are trained, in the order given; to be asked for once.
    ///
    /// # Errors
    /// A name that is taken, a size below 1, memory that cannot be allocated, or a second call.
    #[track_caller]
    pub fn trained(
        &mut self,
        tensors: impl IntoIterator<Item = NewTensor>,
    ) -> Result<Vec<Trained>, Error> {
        if self.trained.is_some() {
            let message = format!("{} declares trained tensors twice", self.rule);
            return Err(refused(message, "declare all of them in one call"));
        }
        let tensors: Vec<_> = tensors.into_iter().collect();
        for (at, tensor) in tensors.iter().enumerate() {
            let is_repeated = tensors[..at].iter().any(|it| it.name == tensor.name);
            self.check(tensor, is_repeated)?;
        }
        let declarations = tensors.iter().map(|tensor| Declaration {
            name: tensor.name.clone(),
            layer: 0,
            layout: Layout::plain(&tensor.shape),
            initial: tensor.initial(),
        });
        let parameters = Parameters::new(declarations.collect(), self.seed, self.device)?;
        let trained = parameters.tensors().cloned().map(Trained).collect();
        self.trained = Some(parameters);
        Ok(trained)
    }

    /// A tensor that stays as it is.
    ///
    /// # Errors
    /// As for [`Declarations::trained`].
    #[track_caller]
    pub fn fixed(&mut self, tensor: NewTensor) -> Result<Tensor, Error> {
        self.check(&tensor, false)?;
        let value = Tensor::f_empty(tensor.shape.as_slice(), (Kind::Float, self.device))?;
        let initial = tensor.initial();
        copy_f32(
            &value,
            &initial.values(self.seed, &tensor.name, value.numel()),
        )?;
        let saved = Layout::plain(&tensor.shape).canonical(&value)?;
        self.fixed.push((tensor.name, saved));
        Ok(value)
    }

    /// Random numbers (`units`, B), fresh in every update. A restored learner draws what it would have
    /// drawn; a caller of the directions may give them as `noise.{tag}`, (B, `units`).
    ///
    /// # Errors
    /// A name that is taken, or a size below 1.
    #[track_caller]
    pub fn draw(
        &mut self,
        tag: &str,
        units: i64,
        distribution: Distribution,
    ) -> Result<Draw, Error> {
        let name = format!("noise.{tag}");
        if units < 1 || self.draws.iter().any(|draw| draw.name() == name) {
            let message = format!("{} declares the draw `{name}` of {units} units", self.rule);
            return Err(refused(
                message,
                "a draw has a name of its own and 1 unit or more",
            ));
        }
        let extent = Extent::Activation(Units::Flat(units));
        let draw = Draw::new(name, self.draws.len() as u32, extent, distribution);
        self.draws.push(draw.clone());
        Ok(draw)
    }

    /// Refuses a tensor whose name is taken or that has no values.
    #[track_caller]
    fn check(&self, tensor: &NewTensor, is_repeated: bool) -> Result<(), Error> {
        let NewTensor { name, shape, .. } = tensor;
        let fixed = self.fixed.iter().map(|(name, _)| name.as_str());
        let parameters = self.trained.iter().flat_map(Parameters::tensors);
        let mut names = fixed.chain(parameters.map(|it| it.name.as_str()));
        if is_repeated || names.any(|it| it == name) || TAKEN.iter().any(|it| name.starts_with(it))
        {
            let message = format!("{} makes a tensor of the name `{name}`", self.rule);
            let help = "that name is taken: each tensor is saved under its own";
            return Err(refused(message, help));
        }
        if shape.iter().any(|size| *size < 1) {
            let message = format!("{} makes `{name}` of shape {shape:?}", self.rule);
            return Err(refused(message, "every size is 1 or more"));
        }
        Ok(())
    }
}
