//! The classifiers among the paper's networks, and how many multiplications a step on them takes.

use assay_network::{Layer, LayerSummary, Network, Shape, Task, Window};
use indexmap::IndexMap;
use serde::Deserialize;

use crate::Failure;

/// The networks that ship with the program.
const SHIPPED: &str = include_str!("../../../pipelines/networks.toml");

/// More parameters than this, and several trainings do not fit into an ordinary machine's memory.
const MANY: u64 = 100_000_000;

/// A network with its name.
#[derive(Clone, Debug)]
pub(crate) struct NamedNetwork {
    pub(crate) name: String,
    pub(crate) network: Network,
}

#[derive(Deserialize)]
struct Shipped {
    network: IndexMap<String, Network>,
}

/// Every classifier that ships.
pub(crate) fn all() -> Result<Vec<NamedNetwork>, Failure> {
    let shipped: Shipped = toml::from_str(SHIPPED)?;
    let named = (shipped.network.into_iter())
        .filter(|(_, network)| network.task() == Task::Classification)
        .map(|(name, network)| NamedNetwork { name, network });
    Ok(named.collect())
}

/// The network of that name.
pub(crate) fn find(name: &str) -> Result<NamedNetwork, Failure> {
    let all = all()?;
    let names: Vec<_> = all.iter().map(|it| it.name.as_str()).collect();
    let unknown = format!(
        "there is no such network: expected one of {}",
        names.join(", ")
    );
    let found = all.iter().find(|it| it.name == name).cloned();
    found.ok_or_else(|| unknown.into())
}

impl NamedNetwork {
    /// Its JSON.
    pub(crate) fn json(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string(&self.network)?)
    }

    /// Samples of a batch: fewer of images as large as those of `ImageNet`.
    pub(crate) fn batch(&self) -> usize {
        if self.network.input().height > 64 {
            16
        } else {
            128
        }
    }

    /// The ways in which `PyTorch` is written for it: more than one for locally connected layers.
    pub(crate) fn idioms(&self) -> &'static [&'static str] {
        let local = |layer: &Layer| matches!(layer, Layer::Local(..));
        if self.network.layers().iter().any(local) {
            &["unfold", "windows", "windows-by-position"]
        } else {
            &["modules"]
        }
    }

    /// True if several trainings of it do not fit into an ordinary machine's memory together.
    pub(crate) fn is_large(&self) -> bool {
        self.network.parameters() > MANY
    }

    /// Floating-point operations of one step of backpropagation, two for a multiplication.
    ///
    /// Three products a layer: forward, gradient by the weights, gradient by the input, which
    /// the first layer has no use for. What padding would be multiplied by is not counted.
    pub(crate) fn backpropagation_flop(&self) -> f64 {
        let layers = self.network.summary();
        let products = layers.iter().map(multiplications);
        let first = layers.first().map_or(0, multiplications);
        let count = 3 * products.sum::<u64>() - first;
        2.0 * self.batch() as f64 * count as f64
    }
}

/// The multiplications of one sample's forward pass through a layer, without padding.
fn multiplications(layer: &LayerSummary) -> u64 {
    match layer.layer {
        Layer::Dense { .. } | Layer::Softmax { .. } => layer.multiply_adds,
        Layer::Local(window, _) | Layer::Convolution(window, _) => {
            let Shape {
                channels,
                height,
                width,
            } = layer.input;
            let taps = taps(height, window) * taps(width, window);
            (channels * window.channels * taps) as u64
        }
    }
}

/// The number of times that a tap of the kernel meets an input along one axis.
fn taps(inputs: usize, window: Window) -> usize {
    let padding = window.kernel / 2;
    (0..inputs.div_ceil(window.stride))
        .map(|output| {
            let start = output * window.stride;
            let end = (start + window.kernel).min(padding + inputs);
            end - start.max(padding)
        })
        .sum()
}
