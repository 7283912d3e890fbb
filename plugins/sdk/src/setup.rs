//! What an algorithm may ask for when it is created: tensors that are part of its state.

use tch::{Kind, Tensor};

use crate::error::Error;
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
    fixed: Vec<(String, Tensor)>,
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
    /// `feedback.{l}.weight`, (`n_{l-1}`, `n_l`).
    pub fn transposed_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let map = self.model.layer(l).map();
        self.feedback(l, &map.transposed_shape(), map.glorot(scale))
    }

    /// A fixed random B from the output error straight to layer l, Glorot-uniform times `scale`:
    /// `feedback.{l}.weight`, (`n_l`, classes).
    pub fn direct_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let (units, classes) = (self.model.layer(l).units(), self.model.outputs());
        let initial = Initial::Glorot {
            fan_in: classes,
            fan_out: units,
            scale,
        };
        self.feedback(l, &[units, classes], initial)
    }

    fn feedback(&mut self, l: usize, shape: &[i64], initial: Initial) -> Result<Tensor, Error> {
        let name = format!("feedback.{l}.weight");
        let tensor = Tensor::f_empty(shape, (Kind::Float, self.model.device()))?;
        copy_f32(&tensor, &initial.values(self.seed, &name, tensor.numel()))?;
        self.fixed.push((name, tensor.shallow_clone()));
        Ok(tensor)
    }

    pub(crate) fn into_fixed(self) -> Vec<(String, Tensor)> {
        self.fixed
    }
}
