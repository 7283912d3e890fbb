//! Target propagation by docs/methods.md in 64-bit floats and plain loops, sample by sample.
//!
//! Like [`reference`](super::reference), written from the equations alone.

use std::collections::BTreeMap;

use super::host::Samples;
use super::reference::{Matrix, Named, Reference, add_directions, derivative};
use super::running::Running;
use super::state::State;

/// The rule that targets follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// A step α down the loss, then inverse images.
    Tp(f64),
    /// A step α down the loss, then differences.
    Dtp(f64),
    /// The output's own target, then differences; with an auxiliary output if the state has one.
    Sdtp,
}

/// A network with its inverses and its rule.
pub struct TargetReference {
    pub network: Reference,
    /// `V_l` and `c_l` by l.
    pub inverses: BTreeMap<usize, (Matrix, Vec<f64>)>,
    /// A and d of AO-SDTP.
    pub auxiliary: Option<(Matrix, Vec<f64>)>,
    pub linear_auxiliary: bool,
    pub rule: Rule,
    pub denoising: bool,
}

fn tanh(vector: Vec<Running>) -> Vec<Running> {
    vector.into_iter().map(Running::tanh).collect()
}

/// 2/B (found − target) ∘ (1 − found²)
fn local_delta(found: &[Running], target: &[Running], b: f64) -> Vec<Running> {
    let pairs = found.iter().zip(target);
    pairs
        .map(|(&y, &t)| Running::from(2.0) / b.into() * (y - t) * derivative(y))
        .collect()
}

impl TargetReference {
    pub fn new(state: &State, rule: Rule, denoising: bool) -> Self {
        let network = Reference::new("dtp", state);
        let read = |name: &str| {
            let weight = Matrix::read(state, &format!("{name}.weight"));
            (weight, state.f64(&format!("{name}.bias")))
        };
        let inverse = |l| format!("inverse.{l}");
        let has = |name: &str| state.0.contains_key(&format!("{name}.weight"));
        Self {
            inverses: (1..=network.depth())
                .filter(|&l| has(&inverse(l)))
                .map(|l| (l, read(&inverse(l))))
                .collect(),
            auxiliary: has("auxiliary").then(|| read("auxiliary")),
            linear_auxiliary: false,
            network,
            rule,
            denoising,
        }
    }

    /// The direction of every tensor; `noise` by layer is (B, `n_l`), row-major.
    pub fn directions(&self, samples: &Samples, noise: &BTreeMap<usize, Vec<f32>>) -> Named {
        let mut directions = Named::new();
        let b = samples.labels.len() as f64;
        for (at, (input, label)) in self.network.samples(samples).enumerate() {
            let mut h = self.network.forward(input);
            let activation = h.pop().unwrap();
            let o = self.network.output(&activation);
            let goal = self.network.target(&h[0], label);
            let targets = self.targets(&h, &o, &goal);
            for l in 1..self.depth() {
                let delta = local_delta(&h[l], &targets[&l], b);
                add_directions(&mut directions, "forward", l, &delta, &h[l - 1]);
            }
            let error = self.network.error(&o, &goal).into_iter();
            let delta: Vec<Running> = error.map(|e| e / b.into()).collect();
            add_directions(
                &mut directions,
                "forward",
                self.depth(),
                &delta,
                &h[self.depth() - 1],
            );
            for &l in self.inverses.keys() {
                let width = h[l - 1].len();
                let epsilon = &noise[&(l - 1)][at * width..(at + 1) * width];
                let [delta, u] = self.inverse_delta(l, &h[l - 1], epsilon, b);
                add_directions(&mut directions, "inverse", l, &delta, &u);
            }
        }
        directions
    }

    fn depth(&self) -> usize {
        self.network.depth()
    }

    /// `g_l(u)`
    fn g(&self, l: usize, u: &[Running]) -> Vec<Running> {
        let (weight, bias) = &self.inverses[&l];
        tanh(weight.affine(bias, u))
    }

    /// `[y, z]` with the features z of `h`, or y alone.
    fn with_auxiliary(&self, y: &[Running], h: &[Running]) -> Vec<Running> {
        let mut output = y.to_vec();
        if let Some((weight, bias)) = &self.auxiliary {
            let z = weight.affine(bias, h);
            output.extend(if self.linear_auxiliary { z } else { tanh(z) });
        }
        output
    }

    /// `ĥ_l` for l < L.
    fn targets(
        &self,
        h: &[Vec<Running>],
        o: &[Running],
        goal: &[Running],
    ) -> BTreeMap<usize, Vec<Running>> {
        let depth = self.depth();
        let mut targets = BTreeMap::new();
        // The output and its target as the top inverse sees them.
        let mut above = (
            self.with_auxiliary(o, &h[depth - 1]),
            self.with_auxiliary(goal, &h[depth - 1]),
        );
        for l in (1..depth).rev() {
            let target: Vec<_> = match self.rule {
                Rule::Tp(alpha) | Rule::Dtp(alpha) if l == depth - 1 => {
                    let e = self.network.error(o, goal);
                    let slope = self.network.weights[depth - 1].transposed_times(&e);
                    let pairs = h[l].iter().zip(&slope);
                    pairs
                        .map(|(&h, &slope)| h - Running::from(alpha) * slope)
                        .collect()
                }
                Rule::Tp(_) => self.g(l + 1, &above.1),
                Rule::Dtp(_) | Rule::Sdtp => {
                    let (of_h, of_target) = (self.g(l + 1, &above.0), self.g(l + 1, &above.1));
                    (0..h[l].len())
                        .map(|unit| h[l][unit] + of_target[unit] - of_h[unit])
                        .collect()
                }
            };
            above = (h[l].clone(), target.clone());
            targets.insert(l, target);
        }
        targets
    }

    /// δ of `‖g_l(f_l(h + ε)) − target‖²` before the tanh, and the u that it multiplies.
    fn inverse_delta(&self, l: usize, h: &[Running], epsilon: &[f32], b: f64) -> [Vec<Running>; 2] {
        let pairs = h.iter().zip(epsilon);
        let noisy: Vec<_> = pairs.map(|(&h, &e)| h + f64::from(e).into()).collect();
        let (weight, bias) = (&self.network.weights[l - 1], &self.network.biases[l - 1]);
        let activation = weight.affine(bias, &noisy);
        let output = if l < self.depth() {
            tanh(activation)
        } else {
            self.with_auxiliary(&self.network.output(&activation), &noisy)
        };
        let target = if self.denoising { h } else { &noisy };
        [local_delta(&self.g(l, &output), target, b), output]
    }
}
