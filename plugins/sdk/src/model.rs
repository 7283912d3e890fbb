//! The network being trained: its layers over one group of parameters.

use std::rc::Rc;

use assay_network::{Network, Task};
use tch::Device;

use crate::error::Error;
use crate::layer::{Layer, Map};
use crate::layout::Units;
use crate::parameters::Parameters;

/// The layers of a network and their weights.
pub struct Model {
    task: Task,
    input: [i64; 3],
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
        let layers = maps
            .into_iter()
            .zip(parameters.tensors().chunks_exact(2))
            .map(|(map, pair)| Layer::new(Rc::new(map), &pair[0], &pair[1]))
            .collect();
        Ok(Self {
            task: network.task(),
            input: <[usize; 3]>::from(network.input()).map(|size| size as i64),
            inputs,
            layers,
            parameters,
            device,
        })
    }

    /// What the network is asked to do.
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
    pub fn layer(&self, l: usize) -> &Layer {
        &self.layers[l - 1]
    }

    /// `n_0`, the number of values of one input.
    pub fn inputs(&self) -> i64 {
        self.inputs.count()
    }

    /// The units of `h_0` in their order.
    pub(crate) fn input_units(&self) -> Units {
        self.inputs
    }

    /// Channels, height and width of one input.
    pub(crate) fn input_shape(&self) -> [i64; 3] {
        self.input
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
