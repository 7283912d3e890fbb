//! The network being trained: its layers over one group of parameters.

use std::rc::Rc;

use assay_network::{Network, Task};
use tch::Device;

use crate::error::Error;
use crate::layer::{Layer, Map};
use crate::layout::Units;
use crate::operand::refused;
use crate::parameters::Parameters;

/// The layers of a network and their weights.
pub struct Model {
    task: Task,
    inputs: Units,
    layers: Vec<Layer>,
    parameters: Parameters,
    device: Device,
}

impl Model {
    /// Allocates and initialises the weights of `network`; they depend on it and on `seed` only.
    pub(crate) fn new(network: &Network, seed: u64, device: Device) -> Result<Self, Error> {
        let summary = network.summary();
        // A network has at least one layer.
        let inputs = summary.first().map_or(Units::Flat(0), Map::first_inputs);
        let mut below = inputs;
        let mut maps = Vec::with_capacity(summary.len());
        for layer in &summary {
            let map = Map::new(layer, below);
            below = map.outputs();
            maps.push(map);
        }
        let declarations = (1..)
            .zip(&maps)
            .flat_map(|(l, map)| map.declarations(l))
            .collect();
        let parameters = Parameters::new(declarations, seed, device)?;
        let activations = summary.iter().map(|it| it.layer.activation());
        let layers = (maps.into_iter().zip(activations).zip(parameters.pairs()))
            .map(|((map, activation), pair)| Layer::new(map, activation.unwrap_or_default(), pair))
            .collect();
        Ok(Self {
            task: network.task(),
            inputs,
            layers,
            parameters,
            device,
        })
    }

    /// Task of the network.
    pub fn task(&self) -> Task {
        self.task
    }

    /// L, the number of layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Layer l, from 1 to L.
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn layer(&self, l: usize) -> &Layer {
        assert!((1..=self.depth()).contains(&l), "{}", self.no_layer(l));
        &self.layers[l - 1]
    }

    /// Layer l.
    ///
    /// # Errors
    /// There is no such layer.
    #[track_caller]
    pub(crate) fn find(&self, l: usize) -> Result<&Layer, Error> {
        let found = l.checked_sub(1).and_then(|at| self.layers.get(at));
        match found {
            Some(layer) => Ok(layer),
            None => Err(refused(self.no_layer(l), "")),
        }
    }

    /// That there is no layer l, in words.
    fn no_layer(&self, l: usize) -> String {
        format!(
            "there is no layer {l}: the network has layers 1 to {}",
            self.depth()
        )
    }

    /// `n_0`, the number of values of one input.
    pub fn inputs(&self) -> i64 {
        self.inputs.count()
    }

    /// `n_0` to `n_L`.
    pub(crate) fn units(&self) -> Rc<[i64]> {
        let layers = self.layers.iter().map(Layer::units);
        std::iter::once(self.inputs()).chain(layers).collect()
    }

    /// The units of `h_0` in their order.
    pub(crate) fn input_units(&self) -> Units {
        self.inputs
    }

    /// `n_L`, the number of outputs.
    pub fn outputs(&self) -> i64 {
        self.output_units().count()
    }

    /// The units of `h_L` in their order.
    pub(crate) fn output_units(&self) -> Units {
        let last = self.layers.last();
        last.map_or(Units::Flat(0), |layer| layer.map().outputs())
    }

    pub(crate) fn device(&self) -> Device {
        self.device
    }

    pub(crate) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}
