//! The rule, through the boundary, against its equations, which are written down once more in plain loops.

use assay_abi::{
    Batch, BatchSource, Batches, CreateRequest, ErrorCode, LearnerHandle, MetricSink, Metrics,
    PluginDefinition as _, PluginError, TensorView,
};
use safetensors::SafeTensors;

use super::{Definition, NAME};

const INPUTS: usize = 6;
const HIDDEN: usize = 5;
const CLASSES: usize = 3;
const LABELS: [i64; 4] = [2, 0, 1, 1];
const NETWORK: &str = r#"{"input": [1, 2, 3], "layers": ["fc 5", "softmax 3"]}"#;

fn request(hyperparameters: &str) -> CreateRequest<'_> {
    CreateRequest {
        algorithm: NAME.into(),
        network: NETWORK.into(),
        hyperparameters: hyperparameters.into(),
        seed: 7,
        device: "cpu".into(),
        threads: 1,
    }
}

fn learner() -> LearnerHandle {
    Definition::create(&request("{}")).unwrap()
}

/// Samples one after the other, each with the mark of its class.
fn inputs() -> Vec<f32> {
    let mut inputs: Vec<f32> = (0..LABELS.len() * INPUTS)
        .map(|at| 0.1 * (at % 7) as f32 - 0.3)
        .collect();
    for (sample, label) in inputs.chunks_mut(INPUTS).zip(LABELS) {
        sample[label as usize] += 1.0;
    }
    inputs
}

const SHAPE: [i64; 4] = [LABELS.len() as i64, 1, 2, 3];
const STRIDES: [i64; 4] = [6, 6, 3, 1];

fn batch(inputs: &[f32]) -> Batch<'_> {
    Batch {
        inputs: TensorView::f32(inputs, &SHAPE, &STRIDES).unwrap(),
        labels: TensorView::i64(&LABELS, &SHAPE[..1], &[1]).unwrap(),
    }
}

fn tensor(bytes: &[u8], name: &str) -> Vec<f32> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let bytes = tensors.tensor(name).unwrap().data();
    let values = bytes.chunks_exact(4);
    values
        .map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]]))
        .collect()
}

/// The signal that the hidden layer gets of a sample: y*.
fn signal(_output: &[f32], target: &[f32]) -> Vec<f32> {
    target.to_vec()
}

/// δ of the hidden and of the output layer for one sample out of B, and the activations that
/// they meet. Biases are zero at first.
fn deltas(state: &[u8], x: &[f32], label: i64) -> [(Vec<f32>, Vec<f32>); 2] {
    let h: Vec<f32> = product(&tensor(state, "forward.1.weight"), x)
        .into_iter()
        .map(f32::tanh)
        .collect();
    let exponentials: Vec<f32> = product(&tensor(state, "forward.2.weight"), &h)
        .into_iter()
        .map(f32::exp)
        .collect();
    let sum: f32 = exponentials.iter().sum();
    let output: Vec<f32> = exponentials.iter().map(|value| value / sum).collect();
    let mut target = vec![0.0; CLASSES];
    target[label as usize] = 1.0;

    let samples = LABELS.len() as f32;
    let projected = product(
        &tensor(state, "feedback.1.weight"),
        &signal(&output, &target),
    );
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
    let mut learner = learner();
    let inputs = inputs();
    let state = learner.save().unwrap();
    let found = learner.directions(batch(&inputs), &[]).unwrap();

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
        assert_close(&tensor(&found, &format!("forward.{l}.weight")), &of_weight);
        assert_close(&tensor(&found, &format!("forward.{l}.bias")), &of_bias);
    }
}

/// The same batch in every step of an epoch.
struct Repeated<'a> {
    inputs: &'a [f32],
    left: usize,
}

impl Batches for Repeated<'_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(batch(self.inputs)))
    }
}

struct Losses(Vec<f64>);

impl Metrics for Losses {
    fn record(&mut self, _name: &str, values: &[f64]) -> Result<(), PluginError> {
        self.0.extend(values);
        Ok(())
    }
}

#[test]
fn training_lowers_the_loss() {
    let inputs = inputs();
    let mut batches = Repeated {
        inputs: &inputs,
        left: 500,
    };
    let mut losses = Losses(Vec::new());
    learner()
        .train_epoch(
            1,
            &mut BatchSource::new(&mut batches),
            &mut MetricSink::new(&mut losses),
        )
        .unwrap();
    let (first, last) = (losses.0[0], losses.0[499]);
    assert!(last < 0.8 * first, "the loss went from {first} to {last}");
}

#[test]
fn a_label_that_is_no_class_is_refused() {
    let inputs = inputs();
    let batch = Batch {
        inputs: TensorView::f32(&inputs, &SHAPE, &STRIDES).unwrap(),
        labels: TensorView::i64(&[0, 1, 2, 3], &SHAPE[..1], &[1]).unwrap(),
    };
    let refused = learner().directions(batch, &[]).unwrap_err();
    assert_eq!(refused.code, ErrorCode::SHAPE);
}

#[test]
fn an_exception_becomes_an_error() {
    let network = r#"{"input": [1, 2, 3], "layers": ["fc 4000000000", "softmax 4000000000"]}"#;
    let request = CreateRequest {
        network: network.into(),
        ..request("{}")
    };
    assert!(Definition::create(&request).is_err());
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
