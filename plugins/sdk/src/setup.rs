//! What an algorithm may ask for when it is created: tensors that are part of its state.

use tch::{Kind, Tensor};

use crate::error::Error;
use crate::layout::{Canonical, Layout, Units};
use crate::model::Model;
use crate::rng::Initial;
use crate::seam::copy_f32;

/// The network that an algorithm is created for, and the maker of its fixed tensors.
///
/// Every tensor made here is saved and restored with the learner, and its first values depend on
/// the seed and its name only.
pub struct Setup<'a> {
    model: &'a Model,
    seed: u64,
    fixed: Vec<(String, Canonical)>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(model: &'a Model, seed: u64) -> Self {
        Self {
            model,
            seed,
            fixed: Vec::new(),
        }
    }

    /// The network.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// A fixed random B that takes the place of `W_lᵀ`, distributed like `W_l` times `scale`:
    /// `feedback.{l}.weight`, (`n_{l-1}`, `n_l`) for a dense layer and shaped like `W_l` for a
    /// layer with windows, whose zeros it shares. For [`Layer::feedback`](crate::Layer::feedback).
    pub fn transposed_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let map = self.model.layer(l).map();
        self.feedback(l, &map.feedback_layout(), map.glorot(scale))
    }

    /// A fixed random B from the output error straight to layer l, Glorot-uniform times `scale`:
    /// `feedback.{l}.weight`, (`n_l`, classes). For [`Layer::project`](crate::Layer::project).
    pub fn direct_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let (units, classes) = (self.model.layer(l).map().outputs(), self.model.outputs());
        let initial = Initial::Glorot {
            fan_in: classes,
            fan_out: units.count(),
            scale,
        };
        self.feedback(l, &Layout::matrix(units, Units::Flat(classes)), initial)
    }

    fn feedback(&mut self, l: usize, layout: &Layout, initial: Initial) -> Result<Tensor, Error> {
        let name = format!("feedback.{l}.weight");
        let tensor = Tensor::f_empty(layout.operand(), (Kind::Float, self.model.device()))?;
        let canonical = layout.canonical(&tensor)?;
        let values = initial.values(self.seed, &name, tensor.numel());
        copy_f32(canonical.view(), &values)?;
        self.fixed.push((name, canonical));
        Ok(tensor)
    }

    pub(crate) fn into_fixed(self) -> Vec<(String, Canonical)> {
        self.fixed
    }
}
