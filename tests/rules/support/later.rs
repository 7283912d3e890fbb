//! The rules published after 2018 (docs/methods.md, Rules after 2018) in 64-bit floats and plain loops,
//! sample by sample, for fully connected layers; layers with windows are unrolled to such first.
//!
//! Directions of feedback that takes the place of a transposed matrix are named
//! `transposed-feedback.{l}.weight`, and those of inverses that come straight from the logits
//! `direct-inverse.{l}.weight`, so that each can be told from the other kind.

use std::collections::BTreeMap;

use serde_json::Value;

use super::host::{Samples, SplitMix};
use super::reference::{Matrix, Named, Reference, add_directions, derivative};
use super::running::Running;
use super::state::State;

type Vector = Vec<Running>;

/// Noise and draws by name, (B, n) row-major or shaped like weights.
pub type Given = BTreeMap<String, Vec<f32>>;

/// A rule with its settings on a network.
pub struct Later<'a> {
    pub algorithm: &'a str,
    pub settings: &'a Value,
    pub network: Reference,
    /// With dense layers only.
    pub state: &'a State,
    pub given: &'a Given,
    /// The standard deviation of the first weights of each layer, l from 1.
    pub deviations: Vec<f64>,
}

/// One sample's forward pass and error.
struct Sample {
    at: usize,
    /// `h_0` to `h_{L-1}` and `a_L`.
    h: Vec<Vector>,
    target: Vector,
    /// e
    error: Vector,
}

/// Random numbers for a tensor of `count` values.
pub fn values(random: &mut SplitMix, count: usize, scale: f64) -> Vec<f32> {
    (0..count)
        .map(|_| (scale * random.symmetric()) as f32)
        .collect()
}

fn constant(value: f64) -> Running {
    value.into()
}

fn scaled(vector: &[Running], factor: f64) -> Vector {
    vector.iter().map(|&x| x * constant(factor)).collect()
}

fn plus(a: &[Running], b: &[Running]) -> Vector {
    a.iter().zip(b).map(|(&a, &b)| a + b).collect()
}

fn minus(a: &[Running], b: &[Running]) -> Vector {
    a.iter().zip(b).map(|(&a, &b)| a - b).collect()
}

fn times(a: &[Running], b: &[Running]) -> Vector {
    a.iter().zip(b).map(|(&a, &b)| a * b).collect()
}

fn inner(a: &[Running], b: &[Running]) -> Running {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

fn tanh(a: Vector) -> Vector {
    a.into_iter().map(Running::tanh).collect()
}

/// δ ∘ tanh'(a), given h = tanh(a).
fn through_tanh(delta: &[Running], h: &[Running]) -> Vector {
    delta
        .iter()
        .zip(h)
        .map(|(&d, &h)| d * derivative(h))
        .collect()
}

/// Adds a bᵀ to the direction of a weight without a bias.
fn add_outer(directions: &mut Named, name: String, a: &[Running], b: &[Running]) {
    let zeros = || vec![Running::default(); a.len() * b.len()];
    let weight = directions.entry(name).or_insert_with(zeros);
    for (row, &a) in weight.chunks_exact_mut(b.len()).zip(a) {
        for (entry, &b) in row.iter_mut().zip(b) {
            *entry += a * b;
        }
    }
}

/// Adds `factor` times the values of a weight to its direction.
fn add_weight(directions: &mut Named, name: &str, matrix: &Matrix, factor: f64) {
    let weight = directions.get_mut(name).unwrap();
    for (entry, &value) in weight.iter_mut().zip(&matrix.values) {
        *entry += constant(factor) * constant(value);
    }
}

impl Later<'_> {
    fn depth(&self) -> usize {
        self.network.depth()
    }

    fn number(&self, name: &str) -> f64 {
        self.settings[name].as_f64().unwrap()
    }

    fn matrix(&self, name: &str) -> Matrix {
        Matrix::read(self.state, name)
    }

    fn feedback(&self, l: usize) -> Matrix {
        self.matrix(&format!("feedback.{l}.weight"))
    }

    /// The given values of sample `at` for a tensor (B, `units`).
    fn given(&self, name: &str, at: usize, units: usize) -> Vector {
        let values = &self.given[name][at * units..][..units];
        values.iter().map(|&x| f64::from(x).into()).collect()
    }

    /// `h_l` to `a_L` for any `h` in the place of `h_l`; `change` may change every `a_k` before its
    /// tanh.
    fn pass(
        &self,
        l: usize,
        h: &[Running],
        change: impl Fn(usize, Vector) -> Vector,
    ) -> Vec<Vector> {
        let mut found = vec![h.to_vec()];
        for k in l + 1..=self.depth() {
            let below = found.last().unwrap();
            let a = self.network.weights[k - 1].affine(&self.network.biases[k - 1], below);
            let a = change(k, a);
            found.push(if k < self.depth() { tanh(a) } else { a });
        }
        found
    }

    fn error(&self, logits: &[Running], target: &[Running]) -> Vector {
        self.network.error(&self.network.output(logits), target)
    }

    /// The direction of every tensor.
    pub fn directions(&self, samples: &Samples) -> Named {
        let batch: Vec<_> = (self.network.samples(samples).enumerate())
            .map(|(at, (input, label))| {
                let h = self.network.forward(input);
                let target = self.network.target(&h[0], label);
                let error = self.error(&h[self.depth()], &target);
                Sample {
                    at,
                    h,
                    target,
                    error,
                }
            })
            .collect();
        let mut out = Named::new();
        match self.algorithm {
            "drtp" => self.each(&batch, &mut out, Self::target_projection),
            "kp" | "weight-mirror" => self.each(&batch, &mut out, Self::learned_feedback),
            "dkp" => self.each(&batch, &mut out, Self::direct_learned_feedback),
            "fdfa" => self.each(&batch, &mut out, Self::forward_direct_feedback),
            "sign-symmetry" => self.each(&batch, &mut out, Self::signs),
            "pepita" => self.each(&batch, &mut out, Self::modulation),
            "fw-dtp" | "l-drl" => self.each(&batch, &mut out, Self::differences),
            "ddtp" => self.each(&batch, &mut out, Self::direct_targets),
            "predictive-coding" => self.each(&batch, &mut out, Self::settle),
            "equilibrium-propagation" => self.each(&batch, &mut out, Self::equilibrium),
            "forward-forward" => self.each(&batch, &mut out, Self::labels_shown),
            "local-loss" => self.local_losses(&batch, &mut out),
            "perturbation" if self.settings["place"] == "weights" => {
                self.forward_gradient(&batch, &mut out);
            }
            "perturbation" => self.each(&batch, &mut out, Self::node_perturbation),
            other => panic!("no reference for {other}"),
        }
        match self.algorithm {
            "fdfa" => {
                for l in 1..self.depth() {
                    let name = format!("feedback.{l}.weight");
                    add_weight(&mut out, &name, &self.feedback(l), 1.0);
                }
            }
            "ddtp" => {
                for l in 1..self.depth() {
                    let matrix = self.matrix(&format!("inverse.{l}.weight"));
                    let name = format!("direct-inverse.{l}.weight");
                    add_weight(&mut out, &name, &matrix, self.number("inverse_decay"));
                }
            }
            "weight-mirror" => {
                for l in 2..=self.depth() {
                    let name = format!("transposed-feedback.{l}.weight");
                    let forgetting = self.number("mirror_forgetting");
                    add_weight(&mut out, &name, &self.feedback(l), forgetting);
                }
            }
            _ => {}
        }
        out
    }

    fn each(
        &self,
        batch: &[Sample],
        out: &mut Named,
        rule: impl Fn(&Self, &Sample, f64, &mut Named),
    ) {
        for sample in batch {
            rule(self, sample, batch.len() as f64, out);
        }
    }

    fn target_projection(&self, sample: &Sample, b: f64, out: &mut Named) {
        let h = &sample.h;
        for l in 1..self.depth() {
            let delta = scaled(&self.feedback(l).times(&sample.target), 1.0 / b);
            add_directions(out, "forward", l, &through_tanh(&delta, &h[l]), &h[l - 1]);
        }
        self.output(sample, b, out);
    }

    /// The true gradient of the output layer.
    fn output(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, h) = (self.depth(), &sample.h);
        let delta = scaled(&sample.error, 1.0 / b);
        add_directions(out, "forward", depth, &delta, &h[depth - 1]);
    }

    fn learned_feedback(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, h) = (self.depth(), &sample.h);
        self.output(sample, b, out);
        let mut delta = scaled(&sample.error, 1.0 / b);
        for l in (2..=depth).rev() {
            let name = format!("transposed-feedback.{l}.weight");
            if self.algorithm == "kp" {
                add_outer(out, name, &h[l - 1], &delta);
            } else {
                let units = h[l - 1].len();
                let epsilon = self.given(&format!("noise.{}", l - 1), sample.at, units);
                let (weight, bias) = (&self.network.weights[l - 1], &self.network.biases[l - 1]);
                let u = tanh(weight.affine(bias, &epsilon));
                let rate = self.number("mirror_rate");
                add_outer(out, name, &scaled(&epsilon, -rate / b), &u);
            }
            delta = through_tanh(&self.feedback(l).times(&delta), &h[l - 1]);
            add_directions(out, "forward", l - 1, &delta, &h[l - 2]);
        }
    }

    fn direct_learned_feedback(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (h, e) = (&sample.h, scaled(&sample.error, 1.0 / b));
        self.output(sample, b, out);
        for l in 1..self.depth() {
            add_outer(out, format!("feedback.{l}.weight"), &h[l], &e);
            let delta = through_tanh(&self.feedback(l).times(&e), &h[l]);
            add_directions(out, "forward", l, &delta, &h[l - 1]);
        }
    }

    fn forward_direct_feedback(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (h, e) = (&sample.h, scaled(&sample.error, 1.0 / b));
        self.output(sample, b, out);
        let mut tangent = vec![Running::default(); h[0].len()];
        let mut drawn = Vec::new();
        for (l, (h, weight)) in (1..self.depth()).zip(h[1..].iter().zip(&self.network.weights)) {
            let v = self.given(&format!("noise.tangent.{l}"), sample.at, h.len());
            tangent = plus(&through_tanh(&weight.times(&tangent), h), &v);
            drawn.push(v);
        }
        let output = self.network.weights[self.depth() - 1].times(&tangent);
        for l in 1..self.depth() {
            let name = format!("feedback.{l}.weight");
            add_outer(out, name, &scaled(&drawn[l - 1], -1.0 / b), &output);
            let delta = through_tanh(&self.feedback(l).times(&e), &h[l]);
            add_directions(out, "forward", l, &delta, &h[l - 1]);
        }
    }

    fn signs(&self, sample: &Sample, b: f64, out: &mut Named) {
        let h = &sample.h;
        self.output(sample, b, out);
        let mut delta = scaled(&sample.error, 1.0 / b);
        for l in (2..=self.depth()).rev() {
            let weight = &self.network.weights[l - 1];
            let is_own = l == self.depth() && self.settings["output"] == "transpose";
            let magnitude = |at: usize| match self.settings["magnitude"].as_str() {
                _ if is_own => weight.values[at].abs(),
                Some("fixed") => self.state.f64(&format!("feedback.{l}.weight"))[at],
                Some("batch") => f64::from(self.given[&format!("noise.magnitude.{l}")][at]).abs(),
                _ => self.deviations[l - 1] * self.number("feedback_scale"),
            };
            let signs = weight.values.iter().enumerate().map(|(at, &w)| {
                let sign = if w == 0.0 { 0.0 } else { w.signum() };
                sign * magnitude(at)
            });
            let feedback = Matrix {
                values: signs.collect(),
                ..*weight
            };
            delta = through_tanh(&feedback.transposed_times(&delta), &h[l - 1]);
            add_directions(out, "forward", l - 1, &delta, &h[l - 2]);
        }
    }

    fn modulation(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, h) = (self.depth(), &sample.h);
        let shift = self.matrix("feedback.input.weight").times(&sample.error);
        let second = self.pass(0, &plus(&h[0], &shift), |_, a| a);
        for l in 1..depth {
            let change = scaled(&minus(&h[l], &second[l]), 1.0 / b);
            match self.settings["presynaptic"].as_str().unwrap() {
                "modulated" => add_directions(out, "forward", l, &change, &second[l - 1]),
                "plain" => add_directions(out, "forward", l, &change, &h[l - 1]),
                _ => {
                    add_directions(out, "forward", l, &scaled(&h[l], 1.0 / b), &h[l - 1]);
                    let minus = scaled(&second[l], -1.0 / b);
                    add_directions(out, "forward", l, &minus, &second[l - 1]);
                }
            }
        }
        let delta = scaled(&sample.error, 1.0 / b);
        add_directions(out, "forward", depth, &delta, &second[depth - 1]);
    }

    /// `g_l(u)`
    fn inverse(&self, l: usize, u: &[Running]) -> Vector {
        if self.algorithm == "fw-dtp" {
            return tanh(self.feedback(l).times(u));
        }
        let bias = self.state.f64(&format!("inverse.{l}.bias"));
        tanh(self.matrix(&format!("inverse.{l}.weight")).affine(&bias, u))
    }

    fn differences(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, h, beta) = (self.depth(), &sample.h, self.number("beta"));
        let delta = scaled(&sample.error, 2.0 * beta / b);
        add_directions(out, "forward", depth, &delta, &h[depth - 1]);
        let mut target = minus(&h[depth], &scaled(&sample.error, beta));
        for l in (2..=depth).rev() {
            let shift = minus(&self.inverse(l, &target), &self.inverse(l, &h[l]));
            target = plus(&h[l - 1], &shift);
            let delta = through_tanh(&scaled(&shift, -2.0 / b), &h[l - 1]);
            add_directions(out, "forward", l - 1, &delta, &h[l - 2]);
        }
        if self.algorithm == "l-drl" {
            for l in 2..=depth {
                self.difference_reconstruction(sample, l, b, out);
            }
        }
    }

    /// The slope of `−2 εᵀ (g(f(h + ε)) − g(f(h))) + ‖g(f(h) + η) − g(f(h))‖²`.
    fn difference_reconstruction(&self, sample: &Sample, l: usize, b: f64, out: &mut Named) {
        let h = &sample.h;
        let epsilon = self.given(&format!("noise.{}", l - 1), sample.at, h[l - 1].len());
        let eta = self.given(&format!("noise.output.{l}"), sample.at, h[l].len());
        let noisy = self.pass(l - 1, &plus(&h[l - 1], &epsilon), |_, a| a);
        let inputs = [h[l].clone(), noisy[1].clone(), plus(&h[l], &eta)];
        let images = [0, 1, 2].map(|at| self.inverse(l, &inputs[at]));
        let change = minus(&images[2], &images[0]);
        let by_noisy = scaled(&epsilon, -2.0);
        let by_moved = scaled(&change, 2.0);
        let by_plain = scaled(&plus(&by_noisy, &by_moved), -1.0);
        for ((slope, image), u) in [by_plain, by_noisy, by_moved]
            .iter()
            .zip(&images)
            .zip(&inputs)
        {
            let delta = through_tanh(&scaled(slope, 1.0 / b), image);
            add_directions(out, "inverse", l, &delta, u);
        }
    }

    /// The input of `Q_l` for logits.
    fn direct_input(&self, l: usize, logits: &[Running]) -> Vector {
        if self.number("random_units") == 0.0 || l + 1 == self.depth() {
            return logits.to_vec();
        }
        let bias = self.state.f64("auxiliary.bias");
        tanh(self.matrix("auxiliary.weight").affine(&bias, logits))
    }

    fn direct_targets(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, h) = (self.depth(), &sample.h);
        let (step, sigma) = (self.number("target_step"), self.number("sigma"));
        let delta = scaled(&sample.error, 2.0 * step / b);
        add_directions(out, "forward", depth, &delta, &h[depth - 1]);
        let target = minus(&h[depth], &scaled(&sample.error, step));
        for l in 1..depth {
            let q = self.matrix(&format!("inverse.{l}.weight"));
            let of_input = |logits: &[Running]| self.direct_input(l, logits);
            let shift = q.times(&minus(&of_input(&target), &of_input(&h[depth])));
            let delta = through_tanh(&scaled(&shift, -2.0 / b), &h[l]);
            add_directions(out, "forward", l, &delta, &h[l - 1]);

            let epsilon = self.given(&format!("noise.{l}"), sample.at, h[l].len());
            let moved = self.pass(l, &plus(&h[l], &epsilon), |_, a| a);
            let change = minus(&of_input(moved.last().unwrap()), &of_input(&h[depth]));
            let residual = minus(&q.times(&change), &epsilon);
            let residual = scaled(&residual, 2.0 / (sigma * sigma * b));
            add_outer(
                out,
                format!("direct-inverse.{l}.weight"),
                &residual,
                &change,
            );
        }
    }

    fn settle(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, beta) = (self.depth(), self.number("beta"));
        let fixed = self.settings["mode"] == "fixed-prediction";
        let mut x = sample.h.clone();
        let predictions = |x: &[Vector]| -> Vec<Vector> {
            if fixed {
                return sample.h.clone();
            }
            let mut mu = vec![x[0].clone()];
            for l in 1..=depth {
                let (weight, bias) = (&self.network.weights[l - 1], &self.network.biases[l - 1]);
                let a = weight.affine(bias, &x[l - 1]);
                mu.push(if l < depth { tanh(a) } else { a });
            }
            mu
        };
        // ε_l ∘ tanh', and ε_l; l from 0.
        let errors = |x: &[Vector], mu: &[Vector]| -> (Vec<Vector>, Vec<Vector>) {
            let epsilon = (0..=depth).map(|l| {
                if l < depth {
                    minus(&x[l], &mu[l])
                } else {
                    scaled(&self.error(&mu[depth], &sample.target), -beta)
                }
            });
            let epsilon: Vec<_> = epsilon.collect();
            let through = (0..=depth).map(|l| {
                if l < depth {
                    through_tanh(&epsilon[l], &mu[l])
                } else {
                    epsilon[l].clone()
                }
            });
            (through.collect(), epsilon)
        };
        for _ in 0..self.number("settling_steps") as usize {
            let mu = predictions(&x);
            let (through, epsilon) = errors(&x, &mu);
            for l in 1..depth {
                let from_above = self.network.weights[l].transposed_times(&through[l + 1]);
                let change = minus(&epsilon[l], &from_above);
                x[l] = minus(&x[l], &scaled(&change, self.number("settling_rate")));
            }
        }
        let mu = predictions(&x);
        let (through, _) = errors(&x, &mu);
        let below = if fixed { &sample.h } else { &x };
        for l in 1..=depth {
            let delta = scaled(&through[l], -1.0 / (beta * b));
            add_directions(out, "forward", l, &delta, &below[l - 1]);
        }
    }

    /// One step of all activities, `s_0` to `s_{L-1}`, with `drive` on the last of them.
    fn relaxed(&self, state: &[Vector], drive: Option<&[Running]>) -> Vec<Vector> {
        let depth = self.depth();
        let mut next = vec![state[0].clone()];
        for l in 1..depth {
            let (weight, bias) = (&self.network.weights[l - 1], &self.network.biases[l - 1]);
            let mut sums = weight.affine(bias, &state[l - 1]);
            if l + 1 < depth {
                let from_above = self.network.weights[l].transposed_times(&state[l + 1]);
                sums = plus(&sums, &from_above);
            } else if let Some(drive) = drive {
                sums = plus(&sums, drive);
            }
            next.push(tanh(sums));
        }
        next
    }

    /// The state after the free phase on `x`.
    fn settled(&self, x: &[Running]) -> Vec<Vector> {
        let zeros = |l: usize| vec![Running::default(); self.network.biases[l - 1].len()];
        let mut state = vec![x.to_vec()];
        state.extend((1..self.depth()).map(zeros));
        for _ in 0..self.number("free_steps") as usize {
            state = self.relaxed(&state, None);
        }
        state
    }

    fn read_out(&self, state: &[Vector]) -> Vector {
        let last = self.depth() - 1;
        self.network.weights[last].affine(&self.network.biases[last], &state[last])
    }

    fn nudged(&self, free: &[Vector], target: &[Running], beta: f64) -> Vec<Vector> {
        let mut state = free.to_vec();
        for _ in 0..self.number("nudged_steps") as usize {
            let error = self.error(&self.read_out(&state), target);
            let above = &self.network.weights[self.depth() - 1];
            let drive = scaled(&above.transposed_times(&error), -beta);
            state = self.relaxed(&state, Some(&drive));
        }
        state
    }

    fn equilibrium(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, beta) = (self.depth(), self.number("beta"));
        let free = self.settled(&sample.h[0]);
        let above = self.nudged(&free, &sample.target, beta);
        let symmetric = self.settings["nudging"] == "symmetric";
        let (below, span) = if symmetric {
            (self.nudged(&free, &sample.target, -beta), 2.0 * beta)
        } else {
            (free.clone(), beta)
        };
        for l in 1..depth {
            let factor = 1.0 / (span * b);
            add_directions(out, "forward", l, &scaled(&below[l], factor), &below[l - 1]);
            add_directions(
                out,
                "forward",
                l,
                &scaled(&above[l], -factor),
                &above[l - 1],
            );
        }
        let states = if symmetric {
            vec![above, below]
        } else {
            vec![free]
        };
        for state in &states {
            let error = self.error(&self.read_out(state), &sample.target);
            let error = scaled(&error, 1.0 / (states.len() as f64 * b));
            add_directions(out, "forward", depth, &error, &state[depth - 1]);
        }
    }

    /// Hidden activities with the label `t` shown, and what each passes on; place l holds layer l's.
    fn shown(&self, x: &[Running], t: &[Running]) -> (Vec<Vector>, Vec<Vector>) {
        let (mut h, mut passed) = (vec![x.to_vec()], vec![x.to_vec()]);
        for l in 1..self.depth() {
            let (weight, bias) = (&self.network.weights[l - 1], &self.network.biases[l - 1]);
            let mut sums = weight.affine(bias, &passed[l - 1]);
            if l == 1 {
                sums = plus(&sums, &self.matrix("label.1.weight").times(t));
            }
            let active = tanh(sums);
            let mean = inner(&active, &active) / constant(active.len() as f64);
            passed.push(active.iter().map(|&h| h / mean.sqrt()).collect());
            h.push(active);
        }
        (h, passed)
    }

    fn labels_shown(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, x, target) = (self.depth(), &sample.h[0], &sample.target);
        let scores = self.given(&format!("noise.negative.{depth}"), sample.at, target.len());
        let wrong = (0..target.len())
            .filter(|&class| target[class].value == 0.0)
            .max_by(|&a, &b| scores[a].value.total_cmp(&scores[b].value));
        let wrong: Vector = (0..target.len())
            .map(|class| constant(f64::from(u8::from(Some(class) == wrong))))
            .collect();
        for (t, label) in [(target, 1.0), (&wrong, 0.0)] {
            let (h, passed) = self.shown(x, t);
            for l in 1..depth {
                let threshold = self.number("threshold") * h[l].len() as f64;
                let logit = inner(&h[l], &h[l]) - constant(threshold);
                let sigmoid = constant(1.0) / (constant(1.0) + (constant(0.0) - logit).exp());
                let slope = (sigmoid - constant(label)) / constant(b);
                let delta: Vector = h[l].iter().map(|&h| h * slope).collect();
                let delta = through_tanh(&delta, &h[l]);
                add_directions(out, "forward", l, &delta, &passed[l - 1]);
                if l == 1 {
                    add_outer(out, "label.1.weight".to_owned(), &delta, t);
                }
            }
        }
        let neutral = vec![constant(1.0 / target.len() as f64); target.len()];
        let (_, passed) = self.shown(x, &neutral);
        let error = scaled(&self.error(&self.read_out(&passed), target), 1.0 / b);
        add_directions(out, "forward", depth, &error, &passed[depth - 1]);
    }

    /// Predictions of a rule that does not predict by the plain forward pass.
    pub fn predictions(&self, samples: &Samples) -> Vector {
        let of_sample = |(input, _): (&[f32], usize)| {
            let x: Vector = input.iter().map(|&x| f64::from(x).into()).collect();
            let classes = self.network.biases[self.depth() - 1].len();
            let state = match self.algorithm {
                "equilibrium-propagation" => self.settled(&x),
                "forward-forward" => {
                    let neutral = vec![constant(1.0 / classes as f64); classes];
                    self.shown(&x, &neutral).1
                }
                other => panic!("{other} predicts by the plain forward pass"),
            };
            let logits = self.read_out(&state);
            if self.network.reconstructs {
                return self.network.output(&logits);
            }
            logits
        };
        self.network.samples(samples).flat_map(of_sample).collect()
    }

    /// The products of a batch's columns, centred over their units and divided by their norms.
    fn similarities(columns: &[Vector]) -> (Vec<Vec<Running>>, Vec<Vector>, Vec<Running>) {
        let mut units = Vec::new();
        let mut norms = Vec::new();
        for z in columns {
            let mean = z.iter().copied().sum::<Running>() / constant(z.len() as f64);
            let centred: Vector = z.iter().map(|&z| z - mean).collect();
            let norm = inner(&centred, &centred).sqrt();
            units.push(centred.iter().map(|&z| z / norm).collect::<Vector>());
            norms.push(norm);
        }
        let products = units
            .iter()
            .map(|a| units.iter().map(|b| inner(a, b)).collect());
        (products.collect(), units, norms)
    }

    fn local_losses(&self, batch: &[Sample], out: &mut Named) {
        let b = batch.len() as f64;
        let losses = self.settings["losses"].as_str().unwrap();
        let beta = match losses {
            "pred" => 0.0,
            "sim" => 1.0,
            _ => self.number("beta"),
        };
        for sample in batch {
            self.output(sample, b, out);
        }
        for l in 1..self.depth() {
            let mut sums: Vec<Vector> = batch
                .iter()
                .map(|sample| vec![Running::default(); sample.h[l].len()])
                .collect();
            if losses != "sim" {
                let head = self.matrix(&format!("head.{l}.weight"));
                let bias = self.state.f64(&format!("head.{l}.bias"));
                for (sum, sample) in sums.iter_mut().zip(batch) {
                    let logits = head.affine(&bias, &sample.h[l]);
                    let error = scaled(&self.error(&logits, &sample.target), 1.0 / b);
                    add_directions(out, "head", l, &error, &sample.h[l]);
                    let term = scaled(&head.transposed_times(&error), 1.0 - beta);
                    *sum = plus(sum, &term);
                }
            }
            if losses != "pred" {
                let name = format!("similarity.{l}.weight");
                let map = self.matrix(&name);
                let z: Vec<_> = batch.iter().map(|sample| map.times(&sample.h[l])).collect();
                let targets: Vec<_> = batch.iter().map(|sample| sample.target.clone()).collect();
                let (of_z, columns, norms) = Self::similarities(&z);
                let (of_y, _, _) = Self::similarities(&targets);
                for (at, sample) in batch.iter().enumerate() {
                    // By every z̃ of the loss: twice what one side of the symmetric products gives.
                    let mut dn = vec![Running::default(); z[at].len()];
                    for (other, n) in columns.iter().enumerate() {
                        let factor = (of_z[at][other] - of_y[at][other]) * constant(4.0 / (b * b));
                        dn = plus(&dn, &n.iter().map(|&n| n * factor).collect::<Vector>());
                    }
                    let along = inner(&columns[at], &dn);
                    let dz: Vector = (dn.iter().zip(&columns[at]))
                        .map(|(&dn, &n)| (dn - n * along) / norms[at])
                        .collect();
                    let mean = dz.iter().copied().sum::<Running>() / constant(dz.len() as f64);
                    let dz: Vector = dz.iter().map(|&it| it - mean).collect();
                    add_outer(out, name.clone(), &dz, &sample.h[l]);
                    let term = scaled(&map.transposed_times(&dz), beta);
                    sums[at] = plus(&sums[at], &term);
                }
            }
            for (sum, sample) in sums.iter().zip(batch) {
                let delta = through_tanh(sum, &sample.h[l]);
                add_directions(out, "forward", l, &delta, &sample.h[l - 1]);
            }
        }
    }

    fn loss(&self, logits: &[Running], target: &[Running]) -> Running {
        let output = self.network.output(logits);
        if self.network.reconstructs {
            let error = minus(&output, target);
            return inner(&error, &error);
        }
        let terms = output.iter().zip(target);
        terms.map(|(p, &y)| constant(0.0) - p.ln() * y).sum()
    }

    fn node_perturbation(&self, sample: &Sample, b: f64, out: &mut Named) {
        let (depth, h) = (self.depth(), &sample.h);
        self.output(sample, b, out);
        let draws = self.number("draws") as usize;
        for k in 1..=draws {
            let values = |l: usize| {
                let name = format!("noise.direction.{k}.{l}");
                self.given(&name, sample.at, h[l].len())
            };
            let perturbed: Vec<_> = (1..depth).map(values).collect();
            let slope = if self.settings["estimator"] == "jvp" {
                let mut tangent = vec![Running::default(); h[0].len()];
                for l in 1..depth {
                    let moved = self.network.weights[l - 1].times(&tangent);
                    tangent = through_tanh(&plus(&moved, &perturbed[l - 1]), &h[l]);
                }
                inner(
                    &sample.error,
                    &self.network.weights[depth - 1].times(&tangent),
                )
            } else {
                let step = self.number("step");
                let [above, below] = [step, -step].map(|step| {
                    let moved = self.pass(0, &h[0], |l, a| {
                        if l < depth {
                            plus(&a, &scaled(&perturbed[l - 1], step))
                        } else {
                            a
                        }
                    });
                    self.loss(moved.last().unwrap(), &sample.target)
                });
                (above - below) / constant(2.0 * step)
            };
            for l in 1..depth {
                let factor = slope * constant(1.0 / (b * draws as f64));
                let delta: Vector = perturbed[l - 1].iter().map(|&v| v * factor).collect();
                add_directions(out, "forward", l, &delta, &h[l - 1]);
            }
        }
    }

    fn forward_gradient(&self, batch: &[Sample], out: &mut Named) {
        let depth = self.depth();
        let draws = self.number("draws") as usize;
        for k in 1..=draws {
            let values = |name: String| -> Vector {
                self.given[&name]
                    .iter()
                    .map(|&x| f64::from(x).into())
                    .collect()
            };
            let weights: Vec<_> = (1..=depth)
                .map(|l| values(format!("noise.direction.{k}.{l}")))
                .collect();
            let biases: Vec<_> = (1..=depth)
                .map(|l| values(format!("noise.direction.{k}.bias.{l}")))
                .collect();
            let mut sum = Running::default();
            for sample in batch {
                let mut tangent = vec![Running::default(); sample.h[0].len()];
                for l in 1..=depth {
                    let below = &sample.h[l - 1];
                    let moved = self.network.weights[l - 1].times(&tangent);
                    let own: Vector = (weights[l - 1].chunks(below.len()))
                        .map(|row| inner(row, below))
                        .collect();
                    let a = plus(&moved, &plus(&own, &biases[l - 1]));
                    tangent = if l < depth {
                        through_tanh(&a, &sample.h[l])
                    } else {
                        a
                    };
                }
                sum += inner(&sample.error, &tangent);
            }
            let g = sum * constant(1.0 / (batch.len() as f64 * draws as f64));
            for l in 1..=depth {
                for (part, values) in [("weight", &weights[l - 1]), ("bias", &biases[l - 1])] {
                    let zeros = || vec![Running::default(); values.len()];
                    let direction = out
                        .entry(format!("forward.{l}.{part}"))
                        .or_insert_with(zeros);
                    let product: Vector = times(values, &vec![g; values.len()]);
                    *direction = plus(direction, &product);
                }
            }
        }
    }
}
