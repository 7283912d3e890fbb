//! What an algorithm may ask for when it is created: tensors that are part of its state.

use std::ops::RangeInclusive;

use tch::{Kind, Tensor};

use crate::error::Error;
use crate::inverse::{Inverse, InverseParameters, inverses};
use crate::model::Model;
use crate::rng::Initial;
use crate::seam::copy_f32;

/// The network that an algorithm is created for, and the maker of its own tensors.
///
/// Every tensor made here is saved and restored with the learner, and its first values depend on
/// the seed and its name only.
pub struct Setup<'a> {
    model: &'a Model,
    seed: u64,
    fixed: Vec<(String, Tensor)>,
    inverses: Option<InverseParameters>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(model: &'a Model, seed: u64) -> Self {
        Self {
            model,
            seed,
            fixed: Vec::new(),
            inverses: None,
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
        let name = format!("feedback.{l}.weight");
        self.fixed(name, &map.transposed_shape(), map.glorot(scale))
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
        self.fixed(format!("feedback.{l}.weight"), &[units, classes], initial)
    }

    /// A trained inverse of each of `layers`, to be asked for once: `inverse.{l}.weight` in the
    /// shape and with the distribution of `W_lᵀ`, `inverse.{l}.bias` in the shape of `h_{l-1}`,
    /// zero. The inverse of layer L takes `auxiliary_units` inputs more.
    ///
    /// # Errors
    /// Memory that cannot be allocated.
    pub fn inverses(
        &mut self,
        layers: RangeInclusive<usize>,
        auxiliary_units: i64,
    ) -> Result<Vec<Inverse>, Error> {
        let maps: Vec<_> = layers
            .map(|l| {
                let extra = if l == self.model.depth() {
                    auxiliary_units
                } else {
                    0
                };
                (l, self.model.layer(l).map().widened(extra))
            })
            .collect();
        let (inverses, parameters) = inverses(&maps, self.seed, self.model.device())?;
        self.inverses = Some(parameters);
        Ok(inverses)
    }

    /// A fixed random affine map of `h_{L-1}`, never trained: `auxiliary.weight`
    /// (`units`, `n_{L-1}`) and `auxiliary.bias` (`units`), both Glorot-uniform.
    pub(crate) fn auxiliary(&mut self, units: i64) -> Result<[Tensor; 2], Error> {
        let inputs = self.model.layer(self.model.depth()).inputs();
        let initial = Initial::Glorot {
            fan_in: inputs,
            fan_out: units,
            scale: 1.0,
        };
        Ok([
            self.fixed("auxiliary.weight".to_owned(), &[units, inputs], initial)?,
            self.fixed("auxiliary.bias".to_owned(), &[units], initial)?,
        ])
    }

    fn fixed(&mut self, name: String, shape: &[i64], initial: Initial) -> Result<Tensor, Error> {
        let tensor = Tensor::f_empty(shape, (Kind::Float, self.model.device()))?;
        copy_f32(&tensor, &initial.values(self.seed, &name, tensor.numel()))?;
        self.fixed.push((name, tensor.shallow_clone()));
        Ok(tensor)
    }

    /// The fixed tensors with their names, and the group of the inverses' parameters.
    pub(crate) fn finish(self) -> (Vec<(String, Tensor)>, Option<InverseParameters>) {
        (self.fixed, self.inverses)
    }
}
