//! Random problems with images, and the directions that the reference finds for them.

use assay_abi::LearnerHandle;
use proptest::prelude::*;

use super::host::{Samples, SplitMix};
use super::plugin::{Learner, network};
use super::reference::Reference;
use super::state::State;
use super::unrolled::Windows;

pub const CLASSES: usize = 4;

/// A random problem: windows, dense layers above them, and a batch.
#[derive(Clone, Debug)]
pub struct Problem {
    pub windows: Vec<Windows>,
    /// The units of the hidden dense layers.
    pub dense: Vec<usize>,
    pub seed: u64,
    pub samples: usize,
}

/// Output channels, kernel, stride, whether the weights are shared.
type Sizes = (usize, usize, usize, bool);

fn sizes() -> impl Strategy<Value = Sizes> {
    // 24 channels below a kernel of 3 are enough for products without patches.
    let channels = prop_oneof![3 => 1..5_usize, 1 => Just(24)];
    let kernels = prop_oneof![Just(1_usize), Just(3), Just(5), Just(9)];
    (channels, kernels, 1..=4_usize, any::<bool>())
}

pub fn problems() -> impl Strategy<Value = Problem> {
    (
        [1..4_usize, 1..11, 1..11],
        proptest::collection::vec(sizes(), 1..=3),
        proptest::collection::vec(2..8_usize, 0..=1),
        any::<u64>(),
        1..=9_usize,
    )
        .prop_map(|(input, layers, dense, seed, samples)| {
            Problem::new(input, &layers, dense, seed, samples)
        })
}

impl Problem {
    pub fn new(
        mut input: [usize; 3],
        layers: &[Sizes],
        dense: Vec<usize>,
        seed: u64,
        samples: usize,
    ) -> Self {
        let mut windows = Vec::new();
        for &(outputs, kernel, stride, shared) in layers {
            let layer = Windows {
                input,
                outputs,
                kernel,
                stride,
                shared,
            };
            input = layer.output();
            windows.push(layer);
        }
        Self {
            windows,
            dense,
            seed,
            samples,
        }
    }

    pub fn depth(&self) -> usize {
        self.windows.len() + self.dense.len() + 1
    }

    pub fn input(&self) -> [usize; 3] {
        self.windows[0].input
    }

    pub fn settings<'a>(&self, algorithm: &'a str, seed: u64) -> Learner<'a> {
        let mut layers: Vec<_> = self.windows.iter().map(Windows::notation).collect();
        layers.extend(self.dense.iter().map(|units| format!("fc {units}")));
        layers.push(format!("softmax {CLASSES}"));
        Learner {
            algorithm,
            network: network(&self.input(), &layers),
            seed,
            ..Learner::default()
        }
    }

    pub fn learner(&self, algorithm: &str, seed: u64) -> LearnerHandle {
        self.settings(algorithm, seed).create().unwrap()
    }

    pub fn batch(&self, seed: u64) -> Samples {
        Samples::random(seed, self.samples, self.input(), CLASSES)
    }

    /// A learner with random biases (zero at the start, which would hide their part), changed
    /// further by `edit`, and its state.
    pub fn prepared(
        &self,
        algorithm: &str,
        edit: impl FnOnce(&mut State),
    ) -> (LearnerHandle, State) {
        let mut learner = self.learner(algorithm, self.seed);
        let mut state = State::parse(&learner.save().unwrap());
        let mut random = SplitMix(self.seed);
        for l in 1..=self.depth() {
            let name = format!("forward.{l}.bias");
            let count = state.shape(&name).iter().product();
            let biases: Vec<_> = (0..count).map(|_| random.symmetric() as f32).collect();
            state.set(&name, &biases);
        }
        edit(&mut state);
        learner.restore(&state.to_bytes()).unwrap();
        (learner, state)
    }

    /// State and directions of a prepared learner.
    pub fn directions(&self, algorithm: &str, edit: impl FnOnce(&mut State)) -> (State, State) {
        let (mut learner, state) = self.prepared(algorithm, edit);
        let directions = self
            .batch(self.seed)
            .with(|batch| learner.directions(batch, &[]))
            .unwrap();
        (state, State::parse(&directions))
    }

    /// The network as dense layers.
    pub fn reference(&self, algorithm: &str, state: &State) -> Reference {
        let mut state = state.clone();
        for (l, layer) in (1..).zip(&self.windows) {
            layer.unroll(l, &mut state);
        }
        Reference::new(algorithm, &state)
    }
}

/// The direction of one tensor.
pub struct Direction {
    pub values: Vec<f64>,
    /// The largest sum of the terms' absolute values. A shared weight's terms may cancel down to
    /// nothing, and then rounding is all that is left of them in f32.
    pub scale: f64,
}

impl Direction {
    pub fn difference(&self, found: &[f32]) -> f64 {
        assert_eq!(found.len(), self.values.len());
        found
            .iter()
            .zip(&self.values)
            .map(|(&found, expected)| (f64::from(found) - expected).abs() / self.scale)
            .fold(0.0, f64::max)
    }
}

/// The directions of the reference by name: the mean of those of the samples.
pub fn reference_directions(problem: &Problem, reference: &Reference) -> Vec<(String, Direction)> {
    let samples = problem.batch(problem.seed);
    let names = (1..=problem.depth())
        .flat_map(|l| ["weight", "bias"].map(|tensor| format!("forward.{l}.{tensor}")));
    let mut sums: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for sample in samples.split() {
        let (weights, biases) = reference.directions(&sample);
        for (at, (weight, bias)) in weights.iter().zip(&biases).enumerate() {
            let layer = problem.windows.get(at);
            for (tensor, (signed, size)) in [
                (2 * at, rolled(layer, Windows::roll_weight, weight)),
                (2 * at + 1, rolled(layer, Windows::roll_bias, bias)),
            ] {
                if sums.len() <= tensor {
                    sums.push((vec![0.0; signed.len()], vec![0.0; size.len()]));
                }
                let (sum, sizes) = &mut sums[tensor];
                add(sum, &signed);
                add(sizes, &size);
            }
        }
    }
    let count = samples.labels.len() as f64;
    names
        .zip(sums)
        .map(|(name, (sum, sizes))| {
            let direction = Direction {
                values: sum.iter().map(|value| value / count).collect(),
                scale: sizes.iter().fold(f64::MIN_POSITIVE, |a, b| a.max(*b)) / count,
            };
            (name, direction)
        })
        .collect()
}

/// A matrix's or vector's direction as that of the saved tensor, and the sums of the absolute
/// values of what each of its elements adds up.
fn rolled(
    layer: Option<&Windows>,
    roll: fn(&Windows, &[f64]) -> Vec<f64>,
    dense: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let sizes: Vec<_> = dense.iter().map(|value| value.abs()).collect();
    match layer {
        Some(layer) => (roll(layer, dense), roll(layer, &sizes)),
        None => (dense.to_vec(), sizes),
    }
}

fn add(sum: &mut [f64], values: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}
