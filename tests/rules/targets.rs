//! Target propagation against an independent implementation of its equations, and what follows
//! from them: reductions to backpropagation and to one another.

use crate::support::plugin::Learner;
use crate::support::problem::{Problem, problems};
use crate::support::relative_difference;
use crate::support::running::{assert_close, assert_identical};
use crate::support::state::{State, transposed};
use crate::support::targets::{Rule, TargetReference};
use crate::support::variant::{Variant, noise, noise_bytes, strengthen};
use proptest::prelude::*;

/// Fails unless the directions are those of the reference.
fn compare(variant: Variant, problem: &Problem) {
    let (algorithm, hyperparameters) = (variant.algorithm, variant.hyperparameters());
    let learner = Learner {
        hyperparameters: &hyperparameters,
        ..problem.learner(algorithm)
    };
    let noise = noise(algorithm, &problem.widths, problem.samples, problem.seed);
    let bytes = noise_bytes(&noise, problem.samples);
    let (state, found) = problem.directions_of(&learner, &bytes, strengthen);
    let expected = variant
        .reference(&state, problem.reconstructs)
        .directions(&problem.samples(), &noise);
    assert!(found.0.keys().eq(expected.keys()), "{:?}", found.0.keys());
    for (name, expected) in &expected {
        assert_close(name, &found.f32(name), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn tp_follows_its_equations(problem in problems(1..=6), denoising: bool) {
        compare(Variant { algorithm: "tp", denoising, linear_auxiliary: false }, &problem);
    }

    #[test]
    fn dtp_follows_its_equations(problem in problems(1..=6), denoising: bool) {
        compare(Variant { algorithm: "dtp", denoising, linear_auxiliary: false }, &problem);
    }

    #[test]
    fn sdtp_follows_its_equations(problem in problems(1..=6), denoising: bool) {
        compare(Variant { algorithm: "sdtp", denoising, linear_auxiliary: false }, &problem);
    }

    #[test]
    fn ao_sdtp_follows_its_equations(
        problem in problems(1..=6), denoising: bool, linear_auxiliary: bool,
    ) {
        compare(Variant { algorithm: "ao-sdtp", denoising, linear_auxiliary }, &problem);
    }

    /// The top hidden layer's local loss has the gradient 2/B · α ∂loss/∂h, which is that of the
    /// task loss for α = ½: with one hidden layer nothing else is left of the algorithm.
    #[test]
    fn half_a_step_down_the_loss_is_backpropagation(problem in problems(2..=5)) {
        let depth = problem.widths.len();
        for (algorithm, rule) in [("tp", Rule::Tp(0.5)), ("dtp", Rule::Dtp(0.5))] {
            let learner = Learner {
                hyperparameters: r#"{"alpha": 0.5}"#,
                ..problem.learner(algorithm)
            };
            let noise = noise(algorithm, &problem.widths, problem.samples, problem.seed);
            let bytes = noise_bytes(&noise, problem.samples);
            let (state, found) = problem.directions_of(&learner, &bytes, |_| {});
            let mut targets = TargetReference::new(&state, rule, false);
            targets.network.reconstructs = problem.reconstructs;
            let targets = targets.directions(&problem.samples(), &noise);
            let bp = problem.reference("bp", &state).directions(&problem.samples());
            for l in depth - 1..=depth {
                for tensor in ["weight", "bias"] {
                    let name = format!("forward.{l}.{tensor}");
                    let values: Vec<_> = bp[&name].iter().map(|it| it.value).collect();
                    assert_identical(&name, &values, &targets[&name]);
                    assert_close(&name, &found.f32(&name), &targets[&name]);
                }
            }
        }
    }

    /// Without auxiliary units AO-SDTP is SDTP.
    #[test]
    fn no_auxiliary_units_leave_sdtp(problem in problems(1..=4)) {
        let ao_sdtp = Learner {
            hyperparameters: r#"{"auxiliary_units": 0}"#,
            ..problem.learner("ao-sdtp")
        };
        let (_, found) = problem.directions_of(&ao_sdtp, &[], |_| {});
        let (_, expected) = problem.directions("sdtp", |_| {});
        prop_assert_eq!(found, expected);
    }
}

/// A network of weights so small that every tanh is linear to about 1e-4, its inverses the
/// transposed weights: `g_l` is then the transposed Jacobian of `f_l`, with which the paper's
/// appendix (5.6) finds backpropagation.
fn linear(problem: &Problem, learner: &Learner<'_>, bias: f32) -> State {
    let (_, directions) = problem.directions_of(learner, &[], |state| {
        for l in 1..=problem.widths.len() {
            let name = format!("forward.{l}.weight");
            let weights: Vec<_> = state.f32(&name).iter().map(|w| 0.02 * w).collect();
            state.set(&name, &weights);
            let inverse = format!("inverse.{l}.weight");
            if state.0.contains_key(&inverse) {
                let &[rows, columns] = state.shape(&name) else {
                    panic!("{name}")
                };
                state.set(&inverse, &transposed(&weights, rows, columns));
                let inverse = format!("inverse.{l}.bias");
                let zeros = vec![0.0; state.shape(&inverse)[0]];
                state.set(&inverse, &zeros);
            }
            let name = format!("forward.{l}.bias");
            let biases: Vec<_> = state.f32(&name).iter().map(|b| bias * b).collect();
            state.set(&name, &biases);
        }
    });
    directions
}

const DEEP: Problem = Problem {
    input: [1, 2, 3],
    widths: Vec::new(),
    reconstructs: false,
    seed: 3,
    samples: 9,
};

#[test]
fn dtp_with_the_transposed_jacobian_is_backpropagation() {
    let problem = Problem {
        widths: vec![9, 7, 8, 6, 4],
        ..DEEP
    };
    let expected = linear(&problem, &problem.learner("bp"), 0.01);
    let dtp = Learner {
        hyperparameters: r#"{"alpha": 0.5}"#,
        ..problem.learner("dtp")
    };
    let found = linear(&problem, &dtp, 0.01);
    for name in expected.0.keys() {
        let difference = relative_difference(&found.f32(name), &expected.f64(name));
        assert!(difference < 1e-3, "{name}: {difference:e}");
    }
}

/// I − 2vvᵀ/‖v‖², row-major: symmetric, and its own inverse.
fn reflection(width: usize) -> Vec<f64> {
    let v: Vec<_> = (0..width).map(|at| 1.0 + at as f64).collect();
    let norm: f64 = v.iter().map(|x| x * x).sum();
    let entry = |row: usize, column: usize| {
        f64::from(u8::from(row == column)) - 2.0 * v[row] * v[column] / norm
    };
    (0..width * width)
        .map(|at| entry(at / width, at % width))
        .collect()
}

/// With inverses that undo their layers, `f_{l+1}(ĥ_l) = ĥ_{l+1}`: where everything is linear, the
/// shift of each target is the layer's image of the shift below it.
#[test]
fn dtp_with_perfect_linear_inverses_hits_every_target() {
    const WIDTH: usize = 6;
    // Activations and shifts so small that every tanh is linear to about 1e-6.
    const SMALL: f32 = 1e-3;
    let problem = Problem {
        widths: vec![WIDTH, WIDTH, WIDTH, WIDTH, 4],
        ..DEEP
    };
    let learner = Learner {
        hyperparameters: r#"{"alpha": 0.001}"#,
        ..problem.learner("dtp")
    };
    let reflection = reflection(WIDTH);
    let scaled = |by: f64| {
        reflection
            .iter()
            .map(|q| (by * q) as f32)
            .collect::<Vec<_>>()
    };
    let (_, found) = problem.directions_of(&learner, &[], |state| {
        let first: Vec<_> = state.f32("forward.1.weight");
        let first: Vec<_> = first.iter().map(|w| SMALL * w).collect();
        state.set("forward.1.weight", &first);
        for l in 2..=4 {
            state.set(&format!("forward.{l}.weight"), &scaled(0.5));
            state.set(&format!("inverse.{l}.weight"), &scaled(2.0));
            state.set(&format!("inverse.{l}.bias"), &[0.0; WIDTH]);
        }
        for l in 1..=4 {
            state.set(&format!("forward.{l}.bias"), &[0.0; WIDTH]);
        }
    });
    for l in 1..=3 {
        // The direction of a bias is the sum of the shifts over the batch.
        let below = found.f64(&format!("forward.{l}.bias"));
        let image = |row: &[f64]| row.iter().zip(&below).map(|(q, d)| 0.5 * q * d).sum();
        let image: Vec<f64> = reflection.chunks(WIDTH).map(image).collect();
        let above = found.f32(&format!("forward.{}.bias", l + 1));
        assert!(image.iter().any(|value| value.abs() > 1e-6));
        let difference = relative_difference(&above, &image);
        assert!(difference < 1e-4, "layer {l}: {difference:e}");
    }
}

/// The targets of vanilla target propagation are inverse images, not shifts, so the transposed
/// Jacobian gives backpropagation's errors where the activations themselves vanish. Only the
/// biases of the hidden layers have a direction there.
#[test]
fn tp_at_zero_activations_with_the_transposed_jacobian_is_backpropagation() {
    let problem = Problem {
        widths: vec![9, 7, 8, 6, 4],
        ..DEEP
    };
    let without_input = |algorithm: &str, hyperparameters| {
        let learner = Learner {
            hyperparameters,
            ..problem.learner(algorithm)
        };
        let mut learner = learner.create().unwrap();
        let mut state = State::parse(&learner.save().unwrap());
        for l in 2..problem.widths.len() {
            let name = format!("forward.{l}.weight");
            let weights: Vec<_> = state.f32(&name).iter().map(|w| 0.02 * w).collect();
            state.set(&name, &weights);
            let &[rows, columns] = state.shape(&name) else {
                panic!("{name}")
            };
            if algorithm == "tp" {
                let inverse = transposed(&weights, rows, columns);
                state.set(&format!("inverse.{l}.weight"), &inverse);
            }
        }
        let name = format!("forward.{}.weight", problem.widths.len());
        let weights: Vec<_> = state.f32(&name).iter().map(|w| 0.02 * w).collect();
        state.set(&name, &weights);
        learner.restore(&state.to_bytes()).unwrap();
        let mut samples = problem.samples();
        samples.inputs.fill(0.0);
        let directions = samples.with(|batch| learner.directions(batch, &[]));
        State::parse(&directions.unwrap())
    };
    let (found, expected) = (
        without_input("tp", r#"{"alpha": 0.5}"#),
        without_input("bp", "{}"),
    );
    for l in 1..problem.widths.len() {
        let name = format!("forward.{l}.bias");
        assert!(expected.f64(&name).iter().any(|value| *value != 0.0));
        let difference = relative_difference(&found.f32(&name), &expected.f64(&name));
        assert!(difference < 1e-3, "{name}: {difference:e}");
    }
}
