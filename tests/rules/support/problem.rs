//! Random problems for algorithms: a network, a batch, and a state whose every part shows.

use proptest::prelude::*;

use super::host::Samples;
use super::plugin::{Learner, network};
use super::reference::Reference;
use super::state::State;

/// A random problem: a network and a batch.
#[derive(Clone, Debug)]
pub struct Problem {
    pub input: [usize; 3],
    /// `n_1` to `n_L`.
    pub widths: Vec<usize>,
    /// True if the last layer reconstructs the input, whose size it then has, and does not
    /// classify.
    pub reconstructs: bool,
    pub seed: u64,
    pub samples: usize,
}

impl Problem {
    pub fn learner<'a>(&self, algorithm: &'a str) -> Learner<'a> {
        let (outputs, hidden) = self.widths.split_last().unwrap();
        let mut layers: Vec<_> = hidden.iter().map(|width| format!("fc {width}")).collect();
        let top = if self.reconstructs { "fc" } else { "softmax" };
        layers.push(format!("{top} {outputs}"));
        Learner {
            algorithm,
            network: network(&self.input, &layers),
            seed: self.seed,
            ..Learner::default()
        }
    }

    pub fn samples(&self) -> Samples {
        let classes = *self.widths.last().unwrap();
        Samples::random(self.seed, self.samples, self.input, classes)
    }

    /// The network of a saved state.
    pub fn reference(&self, algorithm: &str, state: &State) -> Reference {
        Reference {
            reconstructs: self.reconstructs,
            ..Reference::new(algorithm, state)
        }
    }

    /// A learner's state with random biases, changed further by `edit`, and the directions that follow
    /// from it.
    pub fn directions(&self, algorithm: &str, edit: impl FnOnce(&mut State)) -> (State, State) {
        self.directions_of(&self.learner(algorithm), &[], edit)
    }

    /// The same for a learner with settings of its own and given noise.
    pub fn directions_of(
        &self,
        learner: &Learner<'_>,
        noise: &[u8],
        edit: impl FnOnce(&mut State),
    ) -> (State, State) {
        learner.directions(&self.samples(), noise, edit)
    }
}

/// Problems of `depth` layers, of both tasks.
pub fn problems(
    depth: impl Into<proptest::collection::SizeRange>,
) -> impl Strategy<Value = Problem> {
    (
        [1..4_usize, 1..6, 1..6],
        proptest::collection::vec(2..24_usize, depth),
        any::<bool>(),
        any::<u64>(),
        1..18_usize,
    )
        .prop_map(|(input, mut widths, reconstructs, seed, samples)| {
            if let Some(outputs) = widths.last_mut().filter(|_| reconstructs) {
                *outputs = input.iter().product();
            }
            Problem {
                input,
                widths,
                reconstructs,
                seed,
                samples,
            }
        })
}
