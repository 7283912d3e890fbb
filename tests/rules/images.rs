//! Networks with locally connected layers and convolutions, against independent implementations.
//!
//! As in `algorithms.rs`, through the boundary of the real plugins; here also the layout of saved
//! states, which no kernel's order of elements may show through.

use crate::support::host::train;
use crate::support::images::{CLASSES, Problem, mixed, problems, reference_directions};
use crate::support::plugin::{Learner, network};
use crate::support::running::{assert_close, assert_identical};
use crate::support::state::{State, transposed};
use assay_abi::LearnerHandle;
use proptest::prelude::*;
use tch::{Kind, Tensor};

const ALGORITHMS: [&str; 3] = ["bp", "fa", "dfa"];
/// Fails unless outputs and directions are those of the reference.
fn compare(algorithm: &str, problem: &Problem) {
    let (mut learner, state) = problem.settings(algorithm, problem.seed).prepared(|_| {});
    let samples = problem.batch(problem.seed);
    let reference = problem.reference(algorithm, &state);

    let mut outputs = vec![f32::NAN; problem.samples * problem.outputs()];
    samples
        .with(|batch| learner.predict(batch.inputs, &mut outputs))
        .unwrap();
    assert_close("outputs", &outputs, &reference.predictions(&samples));

    let found = samples
        .with(|batch| learner.directions(batch, &[]))
        .unwrap();
    let found = State::parse(&found);
    let expected = reference_directions(problem, &reference);
    assert_eq!(found.0.len(), expected.len());
    for (name, direction) in &expected {
        assert_eq!(found.shape(name), state.shape(name));
        assert_close(name, &found.f32(name), direction);
    }
}

/// The gradients of every weight and bias by libtorch's autograd; every window's weights are
/// shared.
fn autograd(problem: &Problem, state: &State) -> Vec<(String, Vec<f64>)> {
    let samples = problem.batch(problem.seed);
    let inputs = Tensor::from_slice(&samples.inputs)
        .view(samples.shape)
        .to_kind(Kind::Double);
    let mut h = inputs.shallow_clone();
    let mut leaves = Vec::new();
    for l in 1..=problem.depth() {
        let mut leaf = |part: &str| {
            let name = format!("forward.{l}.{part}");
            let shape: Vec<_> = state.shape(&name).iter().map(|&size| size as i64).collect();
            let leaf = Tensor::from_slice(&state.f64(&name))
                .view(shape.as_slice())
                .set_requires_grad(true);
            leaves.push((name, leaf.shallow_clone()));
            leaf
        };
        let (weight, bias) = (leaf("weight"), leaf("bias"));
        h = match problem.windows.get(l - 1) {
            Some(layer) => {
                let (stride, pad) = (layer.stride as i64, layer.kernel as i64 / 2);
                h.conv2d(&weight, Some(&bias), [stride; 2], [pad; 2], [1, 1], 1)
            }
            None => h
                .reshape([problem.samples as i64, -1])
                .linear(&weight, Some(&bias)),
        };
        if l < problem.depth() || problem.reconstructs() {
            h = h.tanh();
        }
    }
    let loss = if problem.reconstructs() {
        (inputs.reshape(h.size()) - h).square().sum(Kind::Double) / problem.samples as f64
    } else {
        h.log_softmax(-1, Kind::Double)
            .nll_loss(&Tensor::from_slice(&samples.labels))
    };
    loss.backward();
    leaves
        .into_iter()
        .map(|(name, leaf)| (name, Vec::try_from(leaf.grad().reshape(-1)).unwrap()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn bp_follows_its_equations(problem in problems()) {
        compare("bp", &problem);
    }

    #[test]
    fn fa_follows_its_equations(problem in problems()) {
        compare("fa", &problem);
    }

    #[test]
    fn dfa_follows_its_equations(problem in problems()) {
        compare("dfa", &problem);
    }

    #[test]
    fn bp_of_a_convolution_is_what_autograd_finds(mut problem in problems()) {
        for layer in &mut problem.windows {
            layer.shared = true;
        }
        let (state, _) = problem.directions("bp", |_| {});
        let reference = reference_directions(&problem, &problem.reference("bp", &state));
        for (name, gradient) in autograd(&problem, &state) {
            assert_identical(&name, &gradient, &reference[&name]);
        }
    }

    #[test]
    fn fa_with_the_weights_as_feedback_is_bp(problem in problems()) {
        let (state, _) = problem.directions("bp", |_| {});
        let (_, found) = problem.directions("fa", |state| {
            for l in 2..=problem.depth() {
                let name = format!("forward.{l}.weight");
                let mut weights = state.f32(&name);
                if l > problem.windows.len() {
                    let &[rows, columns] = state.shape(&name) else { panic!("{name}") };
                    weights = transposed(&weights, rows, columns);
                }
                state.set(&format!("feedback.{l}.weight"), &weights);
            }
        });
        let expected = reference_directions(&problem, &problem.reference("bp", &state));
        prop_assert!(found.0.keys().eq(expected.keys()));
        for (name, direction) in &expected {
            assert_close(name, &found.f32(name), direction);
        }
    }
}

#[test]
fn saved_tensors_have_the_documented_shapes() {
    let problem = mixed();
    let fa = State::parse(&problem.learner("fa", 1).save().unwrap());
    let dfa = State::parse(&problem.learner("dfa", 1).save().unwrap());
    for (name, shape) in [
        ("forward.1.weight", &[24, 4, 5, 2, 3, 3][..]),
        ("forward.1.bias", &[24, 4, 5]),
        ("forward.3.weight", &[3, 5, 5, 5]),
        ("forward.3.bias", &[3]),
        ("forward.4.weight", &[6, 18]),
        (
            "optimiser.forward.2.weight.first_moment",
            &[5, 4, 5, 24, 3, 3],
        ),
        ("optimiser.forward.1.bias.second_moment", &[24, 4, 5]),
    ] {
        assert_eq!(fa.shape(name), shape, "{name}");
        assert_eq!(dfa.shape(name), shape, "{name}");
    }
    assert_eq!(fa.shape("feedback.2.weight"), [5, 4, 5, 24, 3, 3]);
    assert_eq!(fa.shape("feedback.3.weight"), [3, 5, 5, 5]);
    assert_eq!(fa.shape("feedback.4.weight"), [18, 6]);
    assert_eq!(dfa.shape("feedback.1.weight"), [480, CLASSES]);
    assert_eq!(dfa.shape("feedback.3.weight"), [18, CLASSES]);
}

/// The stream of initial values runs through a tensor as it is saved, so the same weights follow
/// from the same seed whatever the order in memory.
#[test]
fn initial_weights_do_not_depend_on_the_order_in_memory() {
    // The layer above an image and the same layer above a vector of as many units.
    let image = Problem::new([1, 3, 4], &[(2, 1, 1, false)], vec![5], 9, 1);
    let above_image = State::parse(&image.learner("bp", 9).save().unwrap());
    let vector = Learner {
        network: network(&[1, 3, 4], &["fc 24", "fc 5", "softmax 4"]),
        seed: 9,
        ..Learner::default()
    };
    let above_vector = State::parse(&vector.create().unwrap().save().unwrap());
    let name = "forward.2.weight";
    assert_eq!(above_image.0[name], above_vector.0[name]);
}

#[test]
fn initial_weights_have_the_bounds_of_one_output_position() {
    let state = State::parse(&mixed().learner("bp", 1).save().unwrap());
    // √(6 / (C k² + O))
    for (name, sum) in [
        ("forward.1.weight", 18.0 + 24.0),
        ("forward.3.weight", 125.0 + 3.0),
    ] {
        let limit = f64::sqrt(6.0 / sum);
        let largest = state.f64(name).iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        assert!(
            largest <= limit && largest > 0.98 * limit,
            "{name}: {largest}"
        );
    }
}

#[test]
fn a_restored_learner_goes_on_as_if_it_had_never_stopped() {
    let problem = mixed();
    for algorithm in ALGORITHMS {
        let mut straight = problem.learner(algorithm, 1);
        train(&mut straight, 1, &problem.epoch(1), None).1.unwrap();
        let saved = straight.save().unwrap();
        let batch = problem.batch(7);
        let logits = |learner: &mut LearnerHandle| {
            let mut logits = vec![f32::NAN; problem.samples * CLASSES];
            batch
                .with(|batch| learner.predict(batch.inputs, &mut logits))
                .unwrap();
            logits
        };
        let predicted = logits(&mut straight);
        train(&mut straight, 2, &problem.epoch(4), None).1.unwrap();

        let mut resumed = problem.learner(algorithm, 77);
        resumed.restore(&saved).unwrap();
        assert_eq!(resumed.save().unwrap(), saved);
        assert_eq!(logits(&mut resumed), predicted);
        train(&mut resumed, 2, &problem.epoch(4), None).1.unwrap();
        assert_eq!(resumed.save().unwrap(), straight.save().unwrap());
    }
}

#[test]
fn training_learns() {
    let problem = mixed();
    let batches: Vec<_> = (0..4).map(|seed| problem.batch(seed)).collect();
    for algorithm in ALGORITHMS {
        let settings = Learner {
            hyperparameters: r#"{"learning_rate": 0.005}"#,
            ..problem.settings(algorithm, 1)
        };
        let mut learner = settings.create().unwrap();
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let first = mean(&train(&mut learner, 1, &batches, None).0);
        let mut last = first;
        for epoch in 2..100 {
            last = mean(&train(&mut learner, epoch, &batches, None).0);
        }
        assert!(last < 0.5 * first, "{algorithm}: {first} {last}");
    }
}
