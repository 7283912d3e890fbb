//! The rule against its equations, written down once more in plain loops.

use assay_sdk::Trial;

use super::{Settings, TargetProjection};

const INPUTS: usize = 6;
const HIDDEN: usize = 5;
const CLASSES: usize = 3;
const LABELS: [i64; 4] = [2, 0, 1, 1];

fn trial() -> Trial<TargetProjection> {
    let layers = ["fc 5", "softmax 3"];
    Trial::new([1, 2, 3], &layers, &Settings::default(), 7).unwrap()
}

/// Samples one after the other, each with the mark of its class.
fn inputs() -> Vec<f32> {
    let mut inputs: Vec<f32> = (0..LABELS.len() * INPUTS)
        .map(|at| 0.1 * (at % 7) as f32 - 0.3)
        .collect();
    for (sample, &label) in inputs.chunks_mut(INPUTS).zip(&LABELS) {
        sample[label as usize] += 1.0;
    }
    inputs
}

#[test]
fn the_hidden_layer_moves_by_the_projected_target() {
    let mut trial = trial();
    let inputs = inputs();
    let state = trial.state().unwrap();
    let found = trial.directions(&inputs, &LABELS).unwrap();
    let (weight, projection) = (&state["forward.1.weight"], &state["feedback.1.weight"]);

    let mut of_weight = vec![0.0; HIDDEN * INPUTS];
    let mut of_bias = vec![0.0; HIDDEN];
    for (x, label) in inputs.chunks(INPUTS).zip(LABELS) {
        for unit in 0..HIDDEN {
            // Biases are zero at first.
            let a: f32 = (0..INPUTS)
                .map(|at| weight[unit * INPUTS + at] * x[at])
                .sum();
            // B_l y* is the column of B_l that the label names.
            let projected = projection[unit * CLASSES + label as usize];
            let delta = projected / LABELS.len() as f32 * (1.0 - a.tanh().powi(2));
            of_bias[unit] += delta;
            for at in 0..INPUTS {
                of_weight[unit * INPUTS + at] += delta * x[at];
            }
        }
    }
    assert_close(&found["forward.1.weight"], &of_weight);
    assert_close(&found["forward.1.bias"], &of_bias);
}

#[test]
fn training_lowers_the_loss() {
    let mut trial = trial();
    let inputs = inputs();
    let first = trial.step(&inputs, &LABELS).unwrap();
    for _ in 0..500 {
        trial.step(&inputs, &LABELS).unwrap();
    }
    let last = trial.step(&inputs, &LABELS).unwrap();
    assert!(last < 0.5 * first, "the loss went from {first} to {last}");
}

/// Rounding in 32-bit floats is all that may differ.
fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}
