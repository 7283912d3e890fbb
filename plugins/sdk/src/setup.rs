//! Creation of an algorithm: the tensors that it may ask for, which are part of its state.

use std::ops::RangeInclusive;
use std::rc::Rc;

use assay_abi::ErrorCode;
use tch::{Kind, Tensor};

use crate::error::Error;
use crate::inverse::{Inverse, inverses};
use crate::layer::Map;
use crate::layout::{Canonical, Layout, Units};
use crate::model::Model;
use crate::operand::refused;
use crate::parameters::Parameters;
use crate::rng::Initial;
use crate::tensor_slices::copy_f32;

/// The network that an algorithm is created for, and the maker of its own tensors.
///
/// Every tensor made here is saved and restored with the learner, and its first values depend on
/// the seed and its name only.
pub struct Setup<'a> {
    /// The algorithm's name.
    algorithm: &'static str,
    model: &'a Model,
    seed: u64,
    fixed: Vec<(String, Canonical)>,
    inverses: Option<Parameters>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(algorithm: &'static str, model: &'a Model, seed: u64) -> Self {
        Self {
            algorithm,
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
    /// `feedback.{l}.weight`, (`n_{l-1}`, `n_l`) for a dense layer and shaped like `W_l` for a
    /// layer with windows, whose zeros it shares. For [`Layer::feedback`](crate::Layer::feedback).
    #[track_caller]
    pub fn transposed_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let map = self.model.find(l)?.map();
        let name = format!("feedback.{l}.weight");
        self.fixed(name, &map.feedback_layout(), map.glorot(scale))
    }

    /// A fixed random B from the output error straight to layer l, Glorot-uniform times `scale`:
    /// `feedback.{l}.weight`, (`n_l`, `n_L`). For [`Layer::project`](crate::Layer::project).
    #[track_caller]
    pub fn direct_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let (units, outputs) = (
            self.model.find(l)?.map().outputs(),
            self.model.output_units(),
        );
        let initial = Initial::Glorot {
            fan_in: outputs.count(),
            fan_out: units.count(),
            scale,
        };
        let layout = Layout::matrix(units, outputs);
        self.fixed(format!("feedback.{l}.weight"), &layout, initial)
    }

    /// A trained inverse of each of `layers`, to be asked for once. `inverse.{l}.weight` is
    /// (`n_{l-1}`, `n_l`) for a dense layer and shaped like `W_l` for a layer with windows, whose
    /// zeros it shares, and distributed like `W_l`; `inverse.{l}.bias` has the shape of `h_{l-1}`
    /// and is zero. The inverse of layer L takes `auxiliary_units` inputs more.
    ///
    /// # Errors
    /// Memory that cannot be allocated, auxiliary units beside an output that is an image, a layer
    /// that there is not, or inverses that were made already.
    #[track_caller]
    pub fn inverses(
        &mut self,
        layers: RangeInclusive<usize>,
        auxiliary_units: i64,
    ) -> Result<Vec<Inverse>, Error> {
        if self.inverses.is_some() {
            let message = format!("{} asks for inverses twice", self.algorithm);
            return Err(refused(message, "ask once, for all layers that need one"));
        }
        if auxiliary_units < 0 {
            let message = format!("{auxiliary_units} auxiliary units were asked for");
            return Err(refused(message, "ask for 0 or more"));
        }
        let mut maps = Vec::new();
        for l in layers {
            maps.push((l, self.inverted_map(l, auxiliary_units)?));
        }
        let (inverses, parameters) = inverses(maps, self.seed, self.model.device())?;
        self.inverses = Some(parameters);
        Ok(inverses)
    }

    /// The map of layer l that its inverse inverts: with `auxiliary_units` outputs more if l is L.
    #[track_caller]
    fn inverted_map(&self, l: usize, auxiliary_units: i64) -> Result<Rc<Map>, Error> {
        let layer = self.model.find(l)?;
        if l < self.model.depth() || auxiliary_units == 0 {
            return Ok(Rc::clone(layer.map()));
        }
        match layer.map().as_ref() {
            Map::Dense { inputs, .. } => {
                let outputs = Units::Flat(layer.units() + auxiliary_units);
                Ok(Rc::new(Map::dense(*inputs, outputs)))
            }
            Map::Windowed(_) => Err(Error::new(
                ErrorCode::UNSUPPORTED,
                format!(
                    "layer {l}: the last layer gives an image, which auxiliary units cannot stand \
                     beside; make it fully connected, or set auxiliary_units to 0"
                ),
            )),
        }
    }

    /// A fixed random affine map of `h_{L-1}`, never trained: `auxiliary.weight`
    /// (`units`, `n_{L-1}`) and `auxiliary.bias` (`units`), both Glorot-uniform.
    #[track_caller]
    pub(crate) fn auxiliary(&mut self, units: i64) -> Result<[Tensor; 2], Error> {
        let inputs = self.model.layer(self.model.depth()).map().inputs();
        let initial = Initial::Glorot {
            fan_in: inputs.count(),
            fan_out: units,
            scale: 1.0,
        };
        let units = Units::Flat(units);
        let (weight, bias) = (Layout::matrix(units, inputs), Layout::units(units));
        Ok([
            self.fixed("auxiliary.weight".to_owned(), &weight, initial)?,
            self.fixed("auxiliary.bias".to_owned(), &bias, initial)?,
        ])
    }

    #[track_caller]
    fn fixed(&mut self, name: String, layout: &Layout, initial: Initial) -> Result<Tensor, Error> {
        if self.fixed.iter().any(|(taken, _)| *taken == name) {
            let message = format!("{} makes two tensors of the name `{name}`", self.algorithm);
            return Err(refused(
                message,
                "each is saved under its name: ask once for each layer, for one kind of feedback",
            ));
        }
        let tensor = Tensor::f_empty(layout.operand(), (Kind::Float, self.model.device()))?;
        let canonical = layout.canonical(&tensor)?;
        let values = initial.values(self.seed, &name, tensor.numel());
        copy_f32(canonical.view(), &values)?;
        self.fixed.push((name, canonical));
        Ok(tensor)
    }

    /// The fixed tensors with their names, and the group of the inverses' parameters.
    pub(crate) fn finish(self) -> (Vec<(String, Canonical)>, Option<Parameters>) {
        (self.fixed, self.inverses)
    }
}
