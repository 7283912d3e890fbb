//! The equations of METHODS.md in 64-bit floats and plain loops, sample by sample.
//!
//! Written from the equations alone, with none of the SDK's code, layout or batching.

use super::host::Samples;
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
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        assert_eq!(vector.len(), self.columns);
        (0..self.rows)
            .map(|row| {
                (0..self.columns)
                    .map(|column| self.values[row * self.columns + column] * vector[column])
                    .sum()
            })
            .collect()
    }

    /// Mᵀ v
    pub fn transposed_times(&self, vector: &[f64]) -> Vec<f64> {
        assert_eq!(vector.len(), self.rows);
        (0..self.columns)
            .map(|column| {
                (0..self.rows)
                    .map(|row| self.values[row * self.columns + column] * vector[row])
                    .sum()
            })
            .collect()
    }
}

/// How an error reaches a hidden layer.
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
    /// Whether it reconstructs its input: tanh outputs and the squared error in the place of the
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
                "bp" | "tp" | "dtp" | "sdtp" | "ao-sdtp" => Feedback::Backpropagation,
                "fa" => Feedback::Alignment((2..=depth).map(feedback).collect()),
                "dfa" => Feedback::Direct((1..depth).map(feedback).collect()),
                other => panic!("no reference for {other}"),
            },
            reconstructs: false,
        }
    }

    pub fn depth(&self) -> usize {
        self.weights.len()
    }

    /// `h_0` to `h_{L-1}` and `a_L`.
    pub fn forward(&self, input: &[f32]) -> Vec<Vec<f64>> {
        let mut h: Vec<Vec<f64>> = vec![input.iter().copied().map(f64::from).collect()];
        for l in 1..=self.depth() {
            let mut a = self.weights[l - 1].times(&h[l - 1]);
            for (a, b) in a.iter_mut().zip(&self.biases[l - 1]) {
                *a += b;
                if l < self.depth() {
                    *a = a.tanh();
                }
            }
            h.push(a);
        }
        h
    }

    /// `h_L`, given `a_L`.
    pub fn output(&self, activation: &[f64]) -> Vec<f64> {
        if self.reconstructs {
            return activation.iter().map(|a| a.tanh()).collect();
        }
        let sum: f64 = activation.iter().map(|a| a.exp()).sum();
        activation.iter().map(|a| a.exp() / sum).collect()
    }

    /// What a learner predicts: `h_L` of a reconstruction, else `a_L`.
    pub fn prediction(&self, input: &[f32]) -> Vec<f64> {
        let activation = self.forward(input).pop().unwrap();
        if self.reconstructs {
            return self.output(&activation);
        }
        activation
    }

    /// What `h_L` ought to be.
    pub fn target(&self, input: &[f64], label: usize) -> Vec<f64> {
        if self.reconstructs {
            return input.to_vec();
        }
        let classes = self.biases[self.depth() - 1].len();
        let one = |class| f64::from(u8::from(class == label));
        (0..classes).map(one).collect()
    }

    /// e, the gradient of the sample's own loss by `a_L`.
    pub fn error(&self, output: &[f64], target: &[f64]) -> Vec<f64> {
        let pairs = output.iter().zip(target);
        if self.reconstructs {
            return pairs.map(|(y, t)| 2.0 * (y - t) * (1.0 - y * y)).collect();
        }
        pairs.map(|(y, t)| y - t).collect()
    }

    /// The mean loss of a batch.
    pub fn loss(&self, samples: &Samples) -> f64 {
        let of_sample = |(input, label): (&[f32], usize)| {
            let h = self.forward(input);
            let activation = &h[self.depth()];
            if self.reconstructs {
                let output = self.output(activation);
                let pairs = output.iter().zip(&h[0]);
                return pairs.map(|(y, x)| (y - x).powi(2)).sum();
            }
            let sum: f64 = activation.iter().map(|a| a.exp()).sum();
            sum.ln() - activation[label]
        };
        let total: f64 = self.samples(samples).map(of_sample).sum();
        total / samples.labels.len() as f64
    }

    /// The direction of every weight matrix and bias vector.
    pub fn directions(&self, samples: &Samples) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let mut weights: Vec<_> = self
            .weights
            .iter()
            .map(|weight| vec![0.0; weight.values.len()])
            .collect();
        let mut biases: Vec<_> = self
            .biases
            .iter()
            .map(|bias| vec![0.0; bias.len()])
            .collect();
        for (input, label) in self.samples(samples) {
            let h = self.forward(input);
            let deltas = self.deltas(&h, label, samples.labels.len() as f64);
            for (l, delta) in (1..).zip(&deltas) {
                for (row, d) in delta.iter().enumerate() {
                    biases[l - 1][row] += d;
                    for (column, x) in h[l - 1].iter().enumerate() {
                        weights[l - 1][row * h[l - 1].len() + column] += d * x;
                    }
                }
            }
        }
        (weights, biases)
    }

    /// `δ_1` to `δ_L` of one sample of a batch of B.
    fn deltas(&self, h: &[Vec<f64>], label: usize, b: f64) -> Vec<Vec<f64>> {
        let (output, target) = (self.output(&h[self.depth()]), self.target(&h[0], label));
        let error = self.error(&output, &target);
        let top: Vec<f64> = error.iter().map(|e| e / b).collect();
        let mut deltas = vec![top.clone()];
        for l in (1..self.depth()).rev() {
            let above = &deltas[0];
            let mut delta = match &self.feedback {
                Feedback::Backpropagation => self.weights[l].transposed_times(above),
                Feedback::Alignment(matrices) => matrices[l - 1].times(above),
                Feedback::Direct(matrices) => matrices[l - 1].times(&top),
            };
            for (delta, h) in delta.iter_mut().zip(&h[l]) {
                *delta *= 1.0 - h * h;
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
