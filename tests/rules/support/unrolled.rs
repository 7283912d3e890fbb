//! Layers with windows as the matrices that they are.
//!
//! A locally connected layer or a convolution is a dense layer most of whose weights are zero.
//! Here its weights are written into that matrix, position by position, and a direction of the
//! matrix is read back, so that the reference for dense layers serves for every network.

use super::running::Running;
use super::state::{SavedTensor, State};

/// A layer with windows, as the network describes it.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Channels, rows and columns of the input.
    pub input: [usize; 3],
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    /// True if all positions have the same weights.
    pub shared: bool,
}

/// One weight of a layer and where it stands.
struct Connection {
    /// Place in the saved tensor.
    weight: usize,
    /// `h_l`, counted in the order channel, row, column.
    unit: usize,
    /// `h_{l-1}`, likewise.
    input: usize,
}

impl Windows {
    /// Channels, rows and columns of the output.
    pub fn output(&self) -> [usize; 3] {
        let [_, rows, columns] = self.input;
        [
            self.outputs,
            rows.div_ceil(self.stride),
            columns.div_ceil(self.stride),
        ]
    }

    /// The layer in the notation of a network.
    pub fn notation(&self) -> String {
        let kind = if self.shared { "conv" } else { "lc" };
        let (k, o, s) = (self.kernel, self.outputs, self.stride);
        format!("{kind} {k}x{k} {o} s{s}")
    }

    /// The shape of the saved weights, as docs/methods.md states it.
    pub fn weight_shape(&self) -> Vec<usize> {
        let [o, rows, columns] = self.output();
        let (c, k) = (self.input[0], self.kernel);
        if self.shared {
            vec![o, c, k, k]
        } else {
            vec![o, rows, columns, c, k, k]
        }
    }

    /// The shape of the saved biases.
    pub fn bias_shape(&self) -> Vec<usize> {
        if self.shared {
            vec![self.outputs]
        } else {
            self.output().to_vec()
        }
    }

    pub fn units(&self) -> usize {
        self.output().iter().product()
    }

    fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    /// The saved bias of a unit.
    fn bias_of(&self, unit: usize) -> usize {
        if self.shared {
            unit * self.outputs / self.units()
        } else {
            unit
        }
    }

    fn connections(&self) -> Vec<Connection> {
        let [channels, height, width] = self.input;
        let [outputs, rows, columns] = self.output();
        let (k, pad) = (self.kernel, self.kernel / 2);
        let mut found = Vec::new();
        for o in 0..outputs {
            for row in 0..rows {
                for column in 0..columns {
                    let unit = (o * rows + row) * columns + column;
                    let set = self.bias_of(unit);
                    for c in 0..channels {
                        for tap in 0..k * k {
                            let y = row * self.stride + tap / k;
                            let x = column * self.stride + tap % k;
                            let padding = y < pad || x < pad;
                            if padding || y - pad >= height || x - pad >= width {
                                continue;
                            }
                            found.push(Connection {
                                weight: (set * channels + c) * k * k + tap,
                                unit,
                                input: (c * height + y - pad) * width + x - pad,
                            });
                        }
                    }
                }
            }
        }
        found
    }

    /// Puts the dense layer that this one is into `state` in its place: its weights and biases,
    /// and, where it has them, feedback weights in the place of the transposed matrix and the
    /// weights of its inverse.
    pub fn unroll(&self, l: usize, state: &mut State) {
        let (units, inputs) = (self.units(), self.inputs());
        let (weight, bias) = (format!("forward.{l}.weight"), format!("forward.{l}.bias"));
        let (feedback, inverse) = (
            format!("feedback.{l}.weight"),
            format!("inverse.{l}.weight"),
        );
        assert_eq!(state.shape(&weight), self.weight_shape());
        assert_eq!(state.shape(&bias), self.bias_shape());
        let biases = state.f32(&bias);
        let biases: Vec<_> = (0..units).map(|unit| biases[self.bias_of(unit)]).collect();
        state.0.insert(bias, saved(vec![units], &biases));
        let matrix = self.matrix(&state.f32(&weight), |it| it.unit * inputs + it.input);
        state.0.insert(weight, saved(vec![units, inputs], &matrix));
        for name in [feedback, inverse] {
            // Direct feedback is a matrix already.
            if state.0.contains_key(&name) && state.shape(&name) == self.weight_shape() {
                let matrix = self.matrix(&state.f32(&name), |it| it.input * units + it.unit);
                state.0.insert(name, saved(vec![inputs, units], &matrix));
            }
        }
    }

    fn matrix(&self, weights: &[f32], place: impl Fn(&Connection) -> usize) -> Vec<f32> {
        let mut matrix = vec![0.0; self.units() * self.inputs()];
        for connection in self.connections() {
            matrix[place(&connection)] = weights[connection.weight];
        }
        matrix
    }

    /// The direction of the saved weights that follows from that of the matrix: a weight that
    /// stands in several places has the sum of theirs.
    pub fn roll_weight(&self, matrix: &[Running]) -> Vec<Running> {
        let mut weights = vec![Running::default(); self.weight_shape().iter().product()];
        for connection in self.connections() {
            weights[connection.weight] +=
                matrix[connection.unit * self.inputs() + connection.input];
        }
        weights
    }

    /// The same for the weights of the inverse, whose matrix is the other way round.
    pub fn roll_inverse_weight(&self, matrix: &[Running]) -> Vec<Running> {
        let mut weights = vec![Running::default(); self.weight_shape().iter().product()];
        for connection in self.connections() {
            weights[connection.weight] += matrix[connection.input * self.units() + connection.unit];
        }
        weights
    }

    /// The direction of the saved biases.
    pub fn roll_bias(&self, units: &[Running]) -> Vec<Running> {
        let mut biases = vec![Running::default(); self.bias_shape().iter().product()];
        for (unit, &direction) in units.iter().enumerate() {
            biases[self.bias_of(unit)] += direction;
        }
        biases
    }
}

fn saved(shape: Vec<usize>, values: &[f32]) -> SavedTensor {
    assert_eq!(shape.iter().product::<usize>(), values.len());
    SavedTensor {
        dtype: safetensors::Dtype::F32,
        shape,
        bytes: values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    }
}
