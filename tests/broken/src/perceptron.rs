//! A network of fully connected layers in plain loops: forward pass, loss and gradient.

use assay_abi::{ErrorCode, PluginError};
use assay_network::{Activation, Layer, Network, Task};

/// The weights and biases of one layer.
#[derive(Clone, Debug)]
pub(crate) struct Affine {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// (outputs, inputs)
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// The layers, first to last.
#[derive(Clone, Debug)]
pub(crate) struct Perceptron {
    pub(crate) layers: Vec<Affine>,
    pub(crate) task: Task,
    /// True if hidden layers apply tanh.
    pub(crate) nonlinear: bool,
}

/// The gradient of one batch, layer by layer: of the weights and of the biases.
pub(crate) type Gradient = Vec<(Vec<f32>, Vec<f32>)>;

impl Perceptron {
    /// A network with initial weights that depend on `seed`.
    ///
    /// # Errors
    /// A layer that is not fully connected.
    pub(crate) fn new(network: &Network, seed: u64) -> Result<Self, PluginError> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut layers = Vec::new();
        for layer in network.summary() {
            let is_plain = layer.layer.activation().unwrap_or_default() == Activation::default();
            let (Layer::Dense { .. } | Layer::Softmax { .. }, true) = (layer.layer, is_plain)
            else {
                return Err(PluginError::new(
                    ErrorCode::UNSUPPORTED,
                    format!("layer {}: `{}` is not supported", layer.index, layer.layer),
                ));
            };
            let (inputs, outputs) = (layer.input.units(), layer.output.units());
            let range = (6.0 / (inputs + outputs) as f32).sqrt();
            let weight = (0..inputs * outputs)
                .map(|_| range * symmetric(&mut state))
                .collect();
            layers.push(Affine {
                inputs,
                outputs,
                weight,
                bias: vec![0.0; outputs],
            });
        }
        Ok(Self {
            layers,
            task: network.task(),
            nonlinear: true,
        })
    }

    /// The number of outputs of one sample.
    pub(crate) fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    /// Outputs of every layer for one sample, after its input: of the last layer logits, where the
    /// network classifies.
    pub(crate) fn forward(&self, input: &[f32]) -> Vec<Vec<f32>> {
        let mut activations = vec![input.to_vec()];
        for (at, layer) in self.layers.iter().enumerate() {
            let below = &activations[at];
            let last = at + 1 == self.layers.len();
            let nonlinear = if last {
                self.task == Task::Reconstruction
            } else {
                self.nonlinear
            };
            let rows = layer.weight.chunks_exact(layer.inputs).zip(&layer.bias);
            let sums = rows.map(|(row, bias)| {
                let products = row.iter().zip(below).map(|(weight, value)| weight * value);
                bias + products.sum::<f32>()
            });
            let above = sums
                .map(|sum| if nonlinear { sum.tanh() } else { sum })
                .collect();
            activations.push(above);
        }
        activations
    }

    /// The mean loss of a batch, and its gradient.
    pub(crate) fn gradient(&self, inputs: &[f32], labels: &[i64]) -> (f64, Gradient) {
        let zeros = |layer: &Affine| (vec![0.0; layer.weight.len()], vec![0.0; layer.outputs]);
        let mut gradient: Gradient = self.layers.iter().map(zeros).collect();
        let (mut loss, share) = (0.0, 1.0 / labels.len().max(1) as f32);
        let size = self.layers.first().map_or(1, |layer| layer.inputs);
        for (input, &label) in inputs.chunks_exact(size).zip(labels) {
            let activations = self.forward(input);
            let (own, mut delta) = self.error(input, &activations[self.layers.len()], label);
            loss += own * f64::from(share);
            for at in (0..self.layers.len()).rev() {
                let (layer, below) = (&self.layers[at], &activations[at]);
                let mut under = vec![0.0; layer.inputs];
                for (unit, &error) in delta.iter().enumerate() {
                    let row = unit * layer.inputs..(unit + 1) * layer.inputs;
                    let slopes = gradient[at].0[row.clone()].iter_mut().zip(below);
                    slopes.for_each(|(slope, value)| *slope += share * error * value);
                    gradient[at].1[unit] += share * error;
                    let weights = under.iter_mut().zip(&layer.weight[row]);
                    weights.for_each(|(sum, weight)| *sum += error * weight);
                }
                if self.nonlinear {
                    let tanh = under.iter_mut().zip(below);
                    tanh.for_each(|(sum, value)| *sum *= 1.0 - value * value);
                }
                delta = under;
            }
        }
        (loss, gradient)
    }

    /// The loss of one sample, and its derivative by what the last layer sums up.
    fn error(&self, input: &[f32], output: &[f32], label: i64) -> (f64, Vec<f32>) {
        if self.task == Task::Reconstruction {
            let pairs = || output.iter().zip(input);
            let loss = pairs().map(|(out, x)| f64::from(out - x).powi(2)).sum();
            let delta = pairs().map(|(out, x)| 2.0 * (out - x) * (1.0 - out * out));
            return (loss, delta.collect());
        }
        let largest = output.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let odds: Vec<_> = output.iter().map(|logit| (logit - largest).exp()).collect();
        let sum: f32 = odds.iter().sum();
        let own = |class: usize| class as i64 == label;
        let loss = odds.iter().enumerate().filter(|(class, _)| own(*class));
        let loss = loss.map(|(_, odd)| -f64::from(odd / sum).ln()).sum();
        let delta = odds.iter().enumerate();
        let delta = delta.map(|(class, odd)| odd / sum - f32::from(u8::from(own(class))));
        (loss, delta.collect())
    }
}

/// Uniform on [-1, 1), by xorshift.
fn symmetric(state: &mut u64) -> f32 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    ((*state >> 40) as f64 / f64::from(1_u32 << 23) - 1.0) as f32
}
