//! Every algorithm against independent implementations of its equations.
//!
//! The real plugins compute in 32-bit floats and batched products. They are compared, through
//! the boundary, with 64-bit plain loops, with differences of the loss and with libtorch's
//! autograd, on random networks.

use crate::support::host::Samples;
use crate::support::plugin::Learner;
use crate::support::problem::{Problem, problems};
use crate::support::reference::Reference;
use crate::support::relative_difference;
use crate::support::running::{TOLERANCE, assert_close, assert_identical};
use crate::support::state::{State, transposed};
use proptest::prelude::*;
use tch::{Kind, Tensor};

/// Fails unless the directions are those of the reference.
fn compare(algorithm: &str, problem: &Problem) {
    let (state, found) = problem.directions(algorithm, |_| {});
    assert_follows(algorithm, problem, &state, &found);
}

/// Fails unless `found` are the directions of an algorithm in a state.
fn assert_follows(algorithm: &str, problem: &Problem, state: &State, found: &State) {
    let expected = problem
        .reference(algorithm, state)
        .directions(&problem.samples());
    assert!(found.0.keys().eq(expected.keys()), "{:?}", found.0.keys());
    for (name, direction) in &expected {
        assert_close(name, &found.f32(name), direction);
    }
}

#[test]
fn bp_is_the_slope_of_the_loss() {
    for (outputs, reconstructs) in [(4, false), (8, true)] {
        assert_is_slope_of_loss(&Problem {
            input: [2, 2, 2],
            widths: vec![7, 5, 6, outputs],
            reconstructs,
            seed: 11,
            samples: 9,
        });
    }
}

fn assert_is_slope_of_loss(problem: &Problem) {
    let (state, found) = problem.directions("bp", |_| {});
    let samples = problem.samples();
    let mut reference = problem.reference("bp", &state);
    // The error of a central difference is about step² = 1e-10 from the third derivative and
    // 1e-16 / step = 1e-11 from rounding: both far below what f32 can show.
    let step = 1e-5;
    let mut slopes = |count: usize, value: fn(&mut Reference, usize, usize) -> &mut f64, l| {
        let mut loss = |at, change| {
            let start = *value(&mut reference, l, at);
            *value(&mut reference, l, at) = start + change;
            let loss = reference.loss(&samples);
            *value(&mut reference, l, at) = start;
            loss
        };
        (0..count)
            .map(|at| (loss(at, step) - loss(at, -step)) / (2.0 * step))
            .collect::<Vec<_>>()
    };
    for l in 1..=problem.widths.len() {
        for (tensor, value) in [
            (
                "weight",
                weight as fn(&mut Reference, usize, usize) -> &mut f64,
            ),
            ("bias", bias),
        ] {
            let name = format!("forward.{l}.{tensor}");
            let found = found.f32(&name);
            let difference = relative_difference(&found, &slopes(found.len(), value, l));
            assert!(difference < TOLERANCE, "{name}: {difference:e}");
        }
    }
}

fn weight(reference: &mut Reference, l: usize, at: usize) -> &mut f64 {
    &mut reference.weights[l - 1].values[at]
}

fn bias(reference: &mut Reference, l: usize, at: usize) -> &mut f64 {
    &mut reference.biases[l - 1][at]
}

/// The gradients of every weight and bias by libtorch's autograd.
fn autograd(problem: &Problem, state: &State, samples: &Samples) -> Vec<(String, Vec<f64>)> {
    let count = samples.labels.len() as i64;
    let inputs = Tensor::from_slice(&samples.inputs)
        .view([count, -1])
        .to_kind(Kind::Double);
    let mut h = inputs.shallow_clone();
    let names: Vec<_> = state
        .part("forward.")
        .0
        .into_keys()
        .filter(|name| name.ends_with(".weight"))
        .collect();
    let mut leaves = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let mut leaf = |name: &str| {
            let shape: Vec<_> = state.shape(name).iter().map(|&size| size as i64).collect();
            let leaf = Tensor::from_slice(&state.f64(name))
                .view(shape.as_slice())
                .set_requires_grad(true);
            leaves.push((name.to_owned(), leaf.shallow_clone()));
            leaf
        };
        let weight = leaf(name);
        let bias = leaf(&name.replace("weight", "bias"));
        h = h.linear(&weight, Some(&bias));
        if at + 1 < names.len() || problem.reconstructs {
            h = h.tanh();
        }
    }
    let loss = if problem.reconstructs {
        (h - inputs).square().sum(Kind::Double) / count as f64
    } else {
        h.log_softmax(-1, Kind::Double)
            .nll_loss(&Tensor::from_slice(&samples.labels))
    };
    loss.backward();
    leaves
        .into_iter()
        .map(|(name, leaf)| {
            let gradient = leaf.grad().view(-1);
            (name, Vec::try_from(gradient).unwrap())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn bp_follows_its_equations(problem in problems(2..=6)) {
        compare("bp", &problem);
    }

    #[test]
    fn fa_follows_its_equations(problem in problems(2..=6)) {
        compare("fa", &problem);
    }

    #[test]
    fn dfa_follows_its_equations(problem in problems(2..=6)) {
        compare("dfa", &problem);
    }

    #[test]
    fn a_single_layer_has_no_feedback(problem in problems(1..=1)) {
        for algorithm in ["bp", "fa", "dfa"] {
            compare(algorithm, &problem);
        }
    }

    #[test]
    fn bp_is_what_autograd_finds(problem in problems(2..=6)) {
        let (state, _) = problem.directions("bp", |_| {});
        let reference = problem.reference("bp", &state).directions(&problem.samples());
        for (name, gradient) in autograd(&problem, &state, &problem.samples()) {
            assert_identical(&name, &gradient, &reference[&name]);
        }
    }

    #[test]
    fn fa_with_the_transposed_weights_is_bp(problem in problems(2..=6)) {
        let (state, found) = problem.directions("fa", |state| {
            for l in 2..=problem.widths.len() {
                let name = format!("forward.{l}.weight");
                let &[rows, columns] = state.shape(&name) else { panic!("{name}") };
                let weights = transposed(&state.f32(&name), rows, columns);
                state.set(&format!("feedback.{l}.weight"), &weights);
            }
        });
        assert_follows("bp", &problem, &state, &found);
    }

    #[test]
    fn dfa_with_the_transposed_weights_is_bp_below_one_hidden_layer(problem in problems(2..=2)) {
        let (state, found) = problem.directions("dfa", |state| {
            let &[rows, columns] = state.shape("forward.2.weight") else { panic!() };
            let weights = transposed(&state.f32("forward.2.weight"), rows, columns);
            state.set("feedback.1.weight", &weights);
        });
        assert_follows("bp", &problem, &state, &found);
    }
}

#[test]
fn one_seed_starts_every_algorithm_from_the_same_bits() {
    let start = |algorithm, seed| {
        let learner = Learner {
            algorithm,
            seed,
            ..Learner::default()
        };
        State::parse(&learner.create().unwrap().save().unwrap())
    };
    let bp = start("bp", 1).part("forward.");
    assert_eq!(bp.0.len(), 6);
    assert_eq!(start("fa", 1).part("forward."), bp);
    assert_eq!(start("dfa", 1).part("forward."), bp);
    let other = start("bp", 2);
    for l in 1..=3 {
        let name = format!("forward.{l}.weight");
        assert_ne!(other.f32(&name), bp.f32(&name));
    }
    let names = ["feedback.2.weight", "feedback.3.weight"];
    let (fa, other) = (start("fa", 1), start("fa", 2));
    for name in names {
        assert_ne!(fa.f32(name), other.f32(name));
    }
}

#[test]
fn feedback_has_the_papers_shapes_and_the_scale_asked_for() {
    let create = |algorithm, hyperparameters| {
        let learner = Learner {
            algorithm,
            hyperparameters,
            ..Learner::default()
        };
        State::parse(&learner.create().unwrap().save().unwrap())
    };
    // Widths 6-5-4-3.
    let fa = create("fa", "{}");
    assert_eq!(fa.shape("feedback.2.weight"), [5, 4]);
    assert_eq!(fa.shape("feedback.3.weight"), [4, 3]);
    assert_eq!(fa.part("feedback.").0.len(), 2);
    let dfa = create("dfa", "{}");
    assert_eq!(dfa.shape("feedback.1.weight"), [5, 3]);
    assert_eq!(dfa.shape("feedback.2.weight"), [4, 3]);
    assert_eq!(dfa.part("feedback.").0.len(), 2);
    for (algorithm, state) in [("fa", fa), ("dfa", dfa)] {
        let scaled = create(algorithm, r#"{"feedback_scale": 4}"#);
        let four_times: Vec<_> = state
            .f32("feedback.2.weight")
            .iter()
            .map(|value| 4.0 * value)
            .collect();
        assert_eq!(scaled.f32("feedback.2.weight"), four_times);
        assert_eq!(scaled.part("forward."), state.part("forward."));
    }
}
