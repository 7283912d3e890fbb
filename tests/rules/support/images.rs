//! Random problems with images, and the directions that the reference finds for them.

use assay_abi::LearnerHandle;
use proptest::prelude::*;

use super::host::Samples;
use super::plugin::{Learner, network};
use super::reference::{Named, Reference};
use super::running::Running;
use super::state::State;
use super::targets::TargetReference;
use super::unrolled::Windows;
use super::variant::Noise;

pub const CLASSES: usize = 4;

/// A random problem: windows, dense layers above them, and a batch.
#[derive(Clone, Debug)]
pub struct Problem {
    pub windows: Vec<Windows>,
    /// The units of the hidden dense layers.
    pub dense: Vec<usize>,
    pub top: Top,
    pub seed: u64,
    pub samples: usize,
}

/// The last layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Top {
    /// Classifies.
    Softmax,
    /// Reconstructs the input with a dense layer.
    Dense,
    /// Reconstructs the input with the last of the windows.
    Image,
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
        prop_oneof![2 => Just(Top::Softmax), 1 => Just(Top::Dense), 1 => Just(Top::Image)],
        any::<u64>(),
        1..=9_usize,
    )
        .prop_map(|(input, layers, dense, top, seed, samples)| {
            if top == Top::Image {
                return Problem::image(input, layers, seed, samples);
            }
            Problem {
                top,
                ..Problem::new(input, &layers, dense, seed, samples)
            }
        })
}

/// Two locally connected layers, a convolution and a dense layer; narrow and wide windows.
pub fn mixed() -> Problem {
    let layers = [(24, 3, 2, false), (5, 3, 1, false), (3, 5, 2, true)];
    Problem::new([2, 7, 10], &layers, vec![6], 3, 5)
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
            top: Top::Softmax,
            seed,
            samples,
        }
    }

    /// A reconstruction by windows alone: every layer keeps the rows and columns, few of them,
    /// and the last one has the channels of the input.
    fn image(mut input: [usize; 3], mut layers: Vec<Sizes>, seed: u64, samples: usize) -> Self {
        for size in &mut input[1..] {
            *size = (*size).min(5);
        }
        for layer in &mut layers {
            layer.2 = 1;
        }
        layers.last_mut().unwrap().0 = input[0];
        Self {
            top: Top::Image,
            ..Self::new(input, &layers, Vec::new(), seed, samples)
        }
    }

    pub fn depth(&self) -> usize {
        let above = usize::from(self.top != Top::Image);
        self.windows.len() + self.dense.len() + above
    }

    pub fn reconstructs(&self) -> bool {
        self.top != Top::Softmax
    }

    /// `n_L`.
    pub fn outputs(&self) -> usize {
        match self.top {
            Top::Softmax => CLASSES,
            Top::Dense | Top::Image => self.input().iter().product(),
        }
    }

    pub fn input(&self) -> [usize; 3] {
        self.windows[0].input
    }

    pub fn settings<'a>(&self, algorithm: &'a str, seed: u64) -> Learner<'a> {
        let mut layers: Vec<_> = self.windows.iter().map(Windows::notation).collect();
        layers.extend(self.dense.iter().map(|units| format!("fc {units}")));
        match self.top {
            Top::Softmax => layers.push(format!("softmax {CLASSES}")),
            Top::Dense => layers.push(format!("fc {}", self.outputs())),
            Top::Image => {}
        }
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

    /// Three batches, the last of them smaller, as at the end of an epoch.
    pub fn epoch(&self, seed: u64) -> [Samples; 3] {
        let mut last = self.clone();
        last.samples = 2;
        [self.batch(seed), self.batch(seed + 1), last.batch(seed + 2)]
    }

    /// `n_1` to `n_L`.
    pub fn widths(&self) -> Vec<usize> {
        let windows = self.windows.iter().map(Windows::units);
        let dense = self.dense.iter().copied();
        let mut widths: Vec<_> = windows.chain(dense).collect();
        if self.top != Top::Image {
            widths.push(self.outputs());
        }
        widths
    }

    /// A learner's state with random biases, changed further by `edit`, and the directions that follow
    /// from it.
    pub fn directions(&self, algorithm: &str, edit: impl FnOnce(&mut State)) -> (State, State) {
        self.directions_of(&self.settings(algorithm, self.seed), &[], edit)
    }

    /// The same for a learner with settings of its own and given noise.
    pub fn directions_of(
        &self,
        settings: &Learner<'_>,
        noise: &[u8],
        edit: impl FnOnce(&mut State),
    ) -> (State, State) {
        settings.directions(&self.batch(self.seed), noise, edit)
    }

    /// The state of the same network with dense layers only.
    pub fn unrolled(&self, state: &State) -> State {
        let mut state = state.clone();
        for (l, layer) in (1..).zip(&self.windows) {
            layer.unroll(l, &mut state);
        }
        state
    }

    /// The network as dense layers.
    pub fn reference(&self, algorithm: &str, state: &State) -> Reference {
        Reference {
            reconstructs: self.reconstructs(),
            ..Reference::new(algorithm, &self.unrolled(state))
        }
    }
}

/// The directions of the reference.
pub fn reference_directions(problem: &Problem, reference: &Reference) -> Named {
    let dense = reference.directions(&problem.batch(problem.seed));
    rolled(problem, dense)
}

/// The same for target propagation with given noise.
pub fn target_directions(problem: &Problem, reference: &TargetReference, noise: &Noise) -> Named {
    let dense = reference.directions(&problem.batch(problem.seed), noise);
    rolled(problem, dense)
}

/// The directions of matrices and vectors as those of saved tensors.
pub fn rolled(problem: &Problem, dense: Named) -> Named {
    let roll = |(name, dense): (String, Vec<Running>)| {
        let parts: Vec<_> = name.split('.').collect();
        let [group, l, tensor] = parts[..] else {
            panic!("{name}")
        };
        let layer = problem.windows.get(l.parse::<usize>().unwrap() - 1);
        let values = match (layer, group, tensor) {
            (Some(layer), "forward", "weight") => layer.roll_weight(&dense),
            (Some(layer), "forward", "bias") => layer.roll_bias(&dense),
            (Some(layer), "inverse" | "transposed-feedback", "weight") => {
                layer.roll_inverse_weight(&dense)
            }
            // Every input of a layer has an inverse bias of its own.
            _ => dense,
        };
        let name = name.replace("transposed-feedback", "feedback");
        (name.replace("direct-inverse", "inverse"), values)
    };
    dense.into_iter().map(roll).collect()
}
