//! The rule against its equations, written down once more in plain loops.

use assay_sdk::{Tensors, Trial};

use super::{Rule, Settings};

const INPUTS: usize = 6;
const HIDDEN: usize = 5;
const CLASSES: usize = 3;
const LABELS: [usize; 4] = [2, 0, 1, 1];

fn trial() -> Trial<Rule> {
    let layers = ["fc 5", "softmax 3"];
    Trial::new([1, 2, 3], &layers, &Settings::default(), 7).unwrap()
}

fn labels() -> [i64; 4] {
    LABELS.map(|label| label as i64)
}

/// Samples one after the other, each with the mark of its class.
fn inputs() -> Vec<f32> {
    let mut inputs: Vec<f32> = (0..LABELS.len() * INPUTS)
        .map(|at| 0.1 * (at % 7) as f32 - 0.3)
        .collect();
    for (sample, label) in inputs.chunks_mut(INPUTS).zip(LABELS) {
        sample[label] += 1.0;
    }
    inputs
}

/// The signal that the hidden layer gets of a sample: y*.
fn signal(_output: &[f32], target: &[f32]) -> Vec<f32> {
    target.to_vec()
}

/// δ of the hidden and of the output layer for one sample out of B, and the activations that
/// they meet. Biases are zero at first.
fn deltas(state: &Tensors, x: &[f32], label: usize) -> [(Vec<f32>, Vec<f32>); 2] {
    let h: Vec<f32> = product(&state["forward.1.weight"], x)
        .into_iter()
        .map(f32::tanh)
        .collect();
    let exponentials: Vec<f32> = product(&state["forward.2.weight"], &h)
        .into_iter()
        .map(f32::exp)
        .collect();
    let sum: f32 = exponentials.iter().sum();
    let output: Vec<f32> = exponentials.iter().map(|value| value / sum).collect();
    let mut target = vec![0.0; CLASSES];
    target[label] = 1.0;

    let samples = LABELS.len() as f32;
    let projected = product(&state["feedback.1.weight"], &signal(&output, &target));
    let hidden = (projected.iter().zip(&h))
        .map(|(p, h)| p / samples * (1.0 - h * h))
        .collect();
    let last = (output.iter().zip(&target))
        .map(|(h, y)| (h - y) / samples)
        .collect();
    [(hidden, x.to_vec()), (last, h)]
}

#[test]
fn every_layer_moves_by_its_equation() {
    let mut trial = trial();
    let inputs = inputs();
    let state = trial.state().unwrap();
    let found = trial.directions(&inputs, &labels()).unwrap();

    for (l, units, below) in [(1, HIDDEN, INPUTS), (2, CLASSES, HIDDEN)] {
        let mut of_weight = vec![0.0; units * below];
        let mut of_bias = vec![0.0; units];
        for (x, label) in inputs.chunks(INPUTS).zip(LABELS) {
            let (delta, h) = &deltas(&state, x, label)[l - 1];
            for unit in 0..units {
                of_bias[unit] += delta[unit];
                for at in 0..below {
                    of_weight[unit * below + at] += delta[unit] * h[at];
                }
            }
        }
        assert_close(&found[&format!("forward.{l}.weight")], &of_weight);
        assert_close(&found[&format!("forward.{l}.bias")], &of_bias);
    }
}

#[test]
fn training_lowers_the_loss() {
    let mut trial = trial();
    let inputs = inputs();
    let first = trial.step(&inputs, &labels()).unwrap();
    for _ in 0..500 {
        trial.step(&inputs, &labels()).unwrap();
    }
    let last = trial.step(&inputs, &labels()).unwrap();
    assert!(last < 0.8 * first, "the loss went from {first} to {last}");
}

/// The row-major `matrix` times `vector`.
fn product(matrix: &[f32], vector: &[f32]) -> Vec<f32> {
    matrix
        .chunks(vector.len())
        .map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
        .collect()
}

/// Rounding in 32-bit floats is all that may differ.
fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}
