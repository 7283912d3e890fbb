//! The equations of docs/methods.md in 64-bit floats and plain loops, sample by sample.
//!
//! Written from the equations alone, with none of the SDK's code, layout or batching. Every number
//! carries how far the same equations in 32-bit floats may be from it.

use std::collections::BTreeMap;

use super::host::Samples;
use super::running::Running;
use super::state::State;

/// A row-major matrix.
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f64>,
}

impl Matrix {
    pub fn read(state: &State, name: &str) -> Self {
        let &[rows, columns] = state.shape(name) else {
            panic!("{name} is no matrix");
        };
        Self {
            rows,
            columns,
            values: state.f64(name),
        }
    }

    /// M v
    pub fn times(&self, vector: &[Running]) -> Vec<Running> {
        assert_eq!(vector.len(), self.columns);
        (0..self.rows)
            .map(|row| {
                (0..self.columns)
                    .map(|column| self.at(row, column) * vector[column])
                    .sum()
            })
            .collect()
    }

    /// Mᵀ v
    pub fn transposed_times(&self, vector: &[Running]) -> Vec<Running> {
        assert_eq!(vector.len(), self.rows);
        (0..self.columns)
            .map(|column| {
                (0..self.rows)
                    .map(|row| self.at(row, column) * vector[row])
                    .sum()
            })
            .collect()
    }

    /// M v + b
    pub fn affine(&self, bias: &[f64], vector: &[Running]) -> Vec<Running> {
        let products = self.times(vector).into_iter().zip(bias);
        products.map(|(a, &b)| a + b.into()).collect()
    }

    fn at(&self, row: usize, column: usize) -> Running {
        self.values[row * self.columns + column].into()
    }
}

fn softmax(logits: &[Running]) -> Vec<Running> {
    let sum: Running = logits.iter().map(|a| a.exp()).sum();
    logits.iter().map(|a| a.exp() / sum).collect()
}

/// 1 for the label, else 0.
fn one_hot(classes: usize, label: usize) -> Vec<Running> {
    let value = |class| f64::from(u8::from(class == label)).into();
    (0..classes).map(value).collect()
}

/// 1 − h², the derivative of the tanh that gave h.
pub fn derivative(h: Running) -> Running {
    Running::from(1.0) - h * h
}

/// Directions by the tensors' names.
pub type Named = BTreeMap<String, Vec<Running>>;

/// Adds δ xᵀ and δ to the directions of a layer.
pub fn add_directions(
    directions: &mut Named,
    group: &str,
    l: usize,
    delta: &[Running],
    x: &[Running],
) {
    let zeros = |count| move || vec![Running::default(); count];
    let weight = directions
        .entry(format!("{group}.{l}.weight"))
        .or_insert_with(zeros(delta.len() * x.len()));
    for (row, &d) in weight.chunks_exact_mut(x.len()).zip(delta) {
        for (entry, &x) in row.iter_mut().zip(x) {
            *entry += d * x;
        }
    }
    let bias = directions
        .entry(format!("{group}.{l}.bias"))
        .or_insert_with(zeros(delta.len()));
    for (bias, &d) in bias.iter_mut().zip(delta) {
        *bias += d;
    }
}

/// The way of an error to a hidden layer.
pub enum Feedback {
    /// Through `W_lᵀ`.
    Backpropagation,
    /// Through `B_l` in its place; l from 2.
    Alignment(Vec<Matrix>),
    /// Through `B_l` from the output; l from 1.
    Direct(Vec<Matrix>),
}

/// A network with its weights and its rule.
pub struct Reference {
    /// `W_l`, l from 1.
    pub weights: Vec<Matrix>,
    /// `b_l`, l from 1.
    pub biases: Vec<Vec<f64>>,
    pub feedback: Feedback,
    /// True if it reconstructs its input: tanh outputs and the squared error in the place of the
    /// softmax and the cross-entropy.
    pub reconstructs: bool,
}

impl Reference {
    /// Reads a saved state. For target propagation, whose directions are not of this kind, only
    /// the forward pass and the loss are its own.
    pub fn new(algorithm: &str, state: &State) -> Self {
        let depth = state.part("forward.").0.len() / 2;
        let feedback = |l| Matrix::read(state, &format!("feedback.{l}.weight"));
        Self {
            weights: (1..=depth)
                .map(|l| Matrix::read(state, &format!("forward.{l}.weight")))
                .collect(),
            biases: (1..=depth)
                .map(|l| state.f64(&format!("forward.{l}.bias")))
                .collect(),
            feedback: match algorithm {
                "fa" => Feedback::Alignment((2..=depth).map(feedback).collect()),
                "dfa" => Feedback::Direct((1..depth).map(feedback).collect()),
                // Directions of other rules are those of `targets` and `later`.
                _ => Feedback::Backpropagation,
            },
            reconstructs: false,
        }
    }

    pub fn depth(&self) -> usize {
        self.weights.len()
    }

    /// `h_0` to `h_{L-1}` and `a_L`.
    pub fn forward(&self, input: &[f32]) -> Vec<Vec<Running>> {
        let mut h: Vec<Vec<Running>> = vec![input.iter().map(|&x| f64::from(x).into()).collect()];
        for l in 1..=self.depth() {
            let mut a = self.weights[l - 1].affine(&self.biases[l - 1], &h[l - 1]);
            if l < self.depth() {
                a = a.into_iter().map(Running::tanh).collect();
            }
            h.push(a);
        }
        h
    }

    /// `h_L`, given `a_L`.
    pub fn output(&self, activation: &[Running]) -> Vec<Running> {
        if self.reconstructs {
            return activation.iter().map(|a| a.tanh()).collect();
        }
        softmax(activation)
    }

    /// The target of `h_L`.
    pub fn target(&self, input: &[Running], label: usize) -> Vec<Running> {
        if self.reconstructs {
            return input.to_vec();
        }
        one_hot(self.biases[self.depth() - 1].len(), label)
    }

    /// e, the gradient of the sample's own loss by `a_L`.
    pub fn error(&self, output: &[Running], target: &[Running]) -> Vec<Running> {
        let pairs = output.iter().zip(target);
        if self.reconstructs {
            let slope = |(&y, &t)| Running::from(2.0) * (y - t) * derivative(y);
            return pairs.map(slope).collect();
        }
        pairs.map(|(&y, &t)| y - t).collect()
    }

    /// Predictions of a learner for a batch, sample by sample: `h_L` of a reconstruction, else the
    /// logits `a_L`.
    pub fn predictions(&self, samples: &Samples) -> Vec<Running> {
        let of_sample = |(input, _)| {
            let activation = self.forward(input).pop().unwrap();
            if self.reconstructs {
                return self.output(&activation);
            }
            activation
        };
        self.samples(samples).flat_map(of_sample).collect()
    }

    /// The mean loss of a batch.
    pub fn loss(&self, samples: &Samples) -> f64 {
        let of_sample = |(input, label): (&[f32], usize)| {
            let h = self.forward(input);
            let activation = &h[self.depth()];
            if self.reconstructs {
                let output = self.output(activation);
                let pairs = output.iter().zip(&h[0]);
                return pairs.map(|(y, x)| (y.value - x.value).powi(2)).sum();
            }
            let sum: Running = activation.iter().map(|a| a.exp()).sum();
            sum.value.ln() - activation[label].value
        };
        let total: f64 = self.samples(samples).map(of_sample).sum();
        total / samples.labels.len() as f64
    }

    /// The direction of every tensor.
    pub fn directions(&self, samples: &Samples) -> Named {
        let mut directions = Named::new();
        for (input, label) in self.samples(samples) {
            let h = self.forward(input);
            let deltas = self.deltas(&h, label, samples.labels.len() as f64);
            for (l, delta) in (1..).zip(&deltas) {
                add_directions(&mut directions, "forward", l, delta, &h[l - 1]);
            }
        }
        directions
    }

    /// `δ_1` to `δ_L` of one sample of a batch of B.
    fn deltas(&self, h: &[Vec<Running>], label: usize, b: f64) -> Vec<Vec<Running>> {
        let (output, target) = (self.output(&h[self.depth()]), self.target(&h[0], label));
        let error = self.error(&output, &target).into_iter();
        let top: Vec<Running> = error.map(|e| e / b.into()).collect();
        let mut deltas = vec![top.clone()];
        for l in (1..self.depth()).rev() {
            let above = &deltas[0];
            let mut delta = match &self.feedback {
                Feedback::Backpropagation => self.weights[l].transposed_times(above),
                Feedback::Alignment(matrices) => matrices[l - 1].times(above),
                Feedback::Direct(matrices) => matrices[l - 1].times(&top),
            };
            for (delta, &h) in delta.iter_mut().zip(&h[l]) {
                *delta = *delta * derivative(h);
            }
            deltas.insert(0, delta);
        }
        deltas
    }

    pub fn samples<'a>(&self, samples: &'a Samples) -> impl Iterator<Item = (&'a [f32], usize)> {
        let inputs = samples.inputs.chunks_exact(self.weights[0].columns);
        inputs.zip(samples.labels.iter().map(|&label| label as usize))
    }
}
