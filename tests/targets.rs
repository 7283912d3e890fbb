//! Target propagation against an independent implementation of its equations, and what follows
//! from them: reductions to backpropagation, and which parameters each loss moves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;

use assay_abi::ErrorCode;
use proptest::prelude::*;
use support::host::{Samples, SplitMix, train, train_recording};
use support::plugin::{Learner, network};
use support::problem::{Problem, TOLERANCE, problems};
use support::relative_difference;
use support::state::{State, transposed};
use support::targets::{Rule, TargetReference};

const ALGORITHMS: [&str; 4] = ["tp", "dtp", "sdtp", "ao-sdtp"];
/// A step that is not small: what it leaves of the targets of a deep network is then well above
/// the rounding of the 32-bit activations that they are differences of.
const ALPHA: f64 = 2.0;

/// What a direction may be off, however small it is: targets are differences of 32-bit
/// activations up to 1, whose roundings of 6e-8 the inverses below carry on.
const ROUNDING: f64 = 1e-6;

/// The layers that an algorithm has inverses for, in a network of `depth` layers.
fn inverted(algorithm: &str, depth: usize) -> std::ops::RangeInclusive<usize> {
    match algorithm {
        "tp" | "dtp" => 2..=depth - 1,
        _ => 2..=depth,
    }
}

/// Noise for every hidden layer below an inverse, (B, `n_l`).
fn noise(algorithm: &str, problem: &Problem) -> BTreeMap<usize, Vec<f32>> {
    let mut random = SplitMix(problem.seed ^ 0x55);
    inverted(algorithm, problem.widths.len())
        .map(|l| {
            let count = problem.samples * problem.widths[l - 2];
            let values = (0..count).map(|_| 0.3 * random.symmetric() as f32);
            (l - 1, values.collect())
        })
        .collect()
}

fn noise_bytes(problem: &Problem, noise: &BTreeMap<usize, Vec<f32>>) -> Vec<u8> {
    let mut tensors = State::default();
    for (l, values) in noise {
        let shape = [problem.samples, problem.widths[l - 1]];
        tensors.insert(&format!("noise.{l}"), &shape, values);
    }
    tensors.to_bytes()
}

/// Larger inverse weights, so that differences do not fade on their way down.
fn strengthen(state: &mut State) {
    let names: Vec<_> = state.part("inverse.").0.into_keys().collect();
    for name in names.iter().filter(|name| name.ends_with(".weight")) {
        let larger: Vec<_> = state.f32(name).iter().map(|value| 2.0 * value).collect();
        state.set(name, &larger);
    }
}

/// The settings of a learner as the plugin and as the reference take them.
#[derive(Clone, Copy)]
struct Variant {
    algorithm: &'static str,
    denoising: bool,
    linear_auxiliary: bool,
}

impl Variant {
    fn hyperparameters(self) -> String {
        let loss = ["noise-preserving", "denoising"][usize::from(self.denoising)];
        let mut object = serde_json::json!({ "inverse_loss": loss });
        match self.algorithm {
            "tp" | "dtp" => object["alpha"] = ALPHA.into(),
            "ao-sdtp" => {
                let activation = ["tanh", "linear"][usize::from(self.linear_auxiliary)];
                object["auxiliary_units"] = 7.into();
                object["auxiliary_activation"] = activation.into();
            }
            _ => {}
        }
        object.to_string()
    }

    fn rule(self) -> Rule {
        match self.algorithm {
            "tp" => Rule::Tp(ALPHA),
            "dtp" => Rule::Dtp(ALPHA),
            _ => Rule::Sdtp,
        }
    }

    /// Fails unless the directions are those of the reference.
    fn compare(self, problem: &Problem) {
        let hyperparameters = self.hyperparameters();
        let learner = Learner {
            hyperparameters: &hyperparameters,
            ..problem.learner(self.algorithm)
        };
        let noise = noise(self.algorithm, problem);
        let bytes = noise_bytes(problem, &noise);
        let (state, found) = problem.directions_of(&learner, &bytes, strengthen);
        let reference = TargetReference {
            linear_auxiliary: self.linear_auxiliary,
            ..TargetReference::new(&state, self.rule(), self.denoising)
        };
        let layers: Vec<_> = reference.inverses.keys().copied().collect();
        let depth = problem.widths.len();
        assert!(layers.into_iter().eq(inverted(self.algorithm, depth)));
        let expected = reference.directions(&problem.samples(), &noise);
        assert!(found.0.keys().eq(expected.keys()), "{:?}", found.0.keys());
        for (name, expected) in &expected {
            let scale = expected
                .iter()
                .fold(0.0, |scale: f64, it| scale.max(it.abs()));
            let difference = relative_difference(&found.f32(name), expected);
            let allowed = TOLERANCE.max(ROUNDING / scale);
            let algorithm = self.algorithm;
            assert!(
                difference < allowed,
                "{algorithm} {name}: {difference:e} of {scale:e}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn tp_follows_its_equations(problem in problems(1..=6), denoising: bool) {
        Variant { algorithm: "tp", denoising, linear_auxiliary: false }.compare(&problem);
    }

    #[test]
    fn dtp_follows_its_equations(problem in problems(1..=6), denoising: bool) {
        Variant { algorithm: "dtp", denoising, linear_auxiliary: false }.compare(&problem);
    }

    #[test]
    fn sdtp_follows_its_equations(problem in problems(1..=6), denoising: bool) {
        Variant { algorithm: "sdtp", denoising, linear_auxiliary: false }.compare(&problem);
    }

    #[test]
    fn ao_sdtp_follows_its_equations(
        problem in problems(1..=6), denoising: bool, linear_auxiliary: bool,
    ) {
        Variant { algorithm: "ao-sdtp", denoising, linear_auxiliary }.compare(&problem);
    }

    /// The top hidden layer's local loss has the gradient 2/B · α ∂CE/∂h, which is that of the
    /// task loss for α = ½: with one hidden layer nothing else is left of the algorithm.
    #[test]
    fn half_a_step_down_the_loss_is_backpropagation(problem in problems(2..=5)) {
        let (_, expected) = problem.directions("bp", |_| {});
        let depth = problem.widths.len();
        for algorithm in ["tp", "dtp"] {
            let learner = Learner {
                hyperparameters: r#"{"alpha": 0.5}"#,
                ..problem.learner(algorithm)
            };
            let (_, found) = problem.directions_of(&learner, &[], |_| {});
            for l in depth - 1..=depth {
                for tensor in ["weight", "bias"] {
                    let name = format!("forward.{l}.{tensor}");
                    let difference = relative_difference(&found.f32(&name), &expected.f64(&name));
                    prop_assert!(difference < TOLERANCE, "{}: {:e}", name, difference);
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

const INPUT: [usize; 3] = [1, 2, 3];
const CLASSES: usize = 3;

fn learner<'a>(algorithm: &'a str, hyperparameters: &'a str) -> Learner<'a> {
    Learner {
        algorithm,
        hyperparameters,
        network: network(&INPUT, &["fc 5", "fc 6", "fc 4", "softmax 3"]),
        ..Learner::default()
    }
}

/// Five batches, the last of them smaller.
fn epoch(seed: u64) -> Vec<Samples> {
    [8, 8, 8, 8, 3]
        .into_iter()
        .zip(seed..)
        .map(|(samples, seed)| Samples::random(seed, samples, INPUT, CLASSES))
        .collect()
}

/// The tensors of one group with their moments.
fn group(state: &State, name: &str) -> State {
    let mut group = state.part(&format!("{name}."));
    group.0.extend(state.part(&format!("optimiser.{name}.")).0);
    group
}

#[test]
fn the_tensors_have_the_names_and_shapes_of_the_methods() {
    // Widths 6-5-6-4-3.
    let state = |algorithm| {
        let mut learner = learner(algorithm, "{}").create().unwrap();
        State::parse(&learner.save().unwrap())
    };
    for algorithm in ALGORITHMS {
        let state = state(algorithm);
        assert_eq!(state.shape("inverse.2.weight"), [5, 6]);
        assert_eq!(state.shape("inverse.2.bias"), [5]);
        assert_eq!(state.shape("inverse.3.weight"), [6, 4]);
        assert_eq!(state.shape("inverse.3.bias"), [6]);
        assert_eq!(
            state.shape("optimiser.inverse.3.weight.first_moment"),
            [6, 4]
        );
        let count = inverted(algorithm, 4).count();
        assert_eq!(state.part("inverse.").0.len(), 2 * count);
    }
    assert_eq!(state("sdtp").shape("inverse.4.weight"), [4, 3]);
    let ao_sdtp = state("ao-sdtp");
    assert_eq!(ao_sdtp.shape("inverse.4.weight"), [4, 3 + 256]);
    assert_eq!(ao_sdtp.shape("inverse.4.bias"), [4]);
    assert_eq!(ao_sdtp.shape("auxiliary.weight"), [256, 4]);
    assert_eq!(ao_sdtp.shape("auxiliary.bias"), [256]);
}

#[test]
fn an_alternating_epoch_trains_the_inverses_and_then_the_network() {
    for algorithm in ALGORITHMS {
        let settings = learner(algorithm, r#"{"schedule": "alternating"}"#);
        let mut halfway = settings.create().unwrap();
        let start = State::parse(&halfway.save().unwrap());
        let batches = epoch(1);
        let (seen, result) = train_recording(&mut halfway, 1, &batches, Some(batches.len()));
        assert!(result.unwrap_err().is_cancelled());
        assert_eq!(seen.values("inverse_loss").len(), batches.len());
        assert_eq!(seen.values("batch_loss").len(), 0);
        let halfway = State::parse(&halfway.save().unwrap());
        assert_eq!(group(&halfway, "forward"), group(&start, "forward"));
        for name in start.part("inverse.").0.keys() {
            assert_ne!(halfway.0[name], start.0[name], "{name}");
        }

        let mut whole = settings.create().unwrap();
        let (seen, result) = train_recording(&mut whole, 1, &batches, None);
        result.unwrap();
        assert_eq!(seen.values("inverse_loss").len(), batches.len());
        assert_eq!(seen.values("batch_loss").len(), batches.len());
        let whole = State::parse(&whole.save().unwrap());
        assert_eq!(group(&whole, "inverse"), group(&halfway, "inverse"));
        for name in start.part("forward.").0.keys() {
            assert_ne!(whole.0[name], start.0[name], "{name}");
        }
        assert_eq!(whole.part("auxiliary."), start.part("auxiliary."));
    }
}

#[test]
fn a_parallel_epoch_trains_both_and_leaves_what_is_fixed() {
    for algorithm in ALGORITHMS {
        let mut learner = learner(algorithm, "{}").create().unwrap();
        let start = State::parse(&learner.save().unwrap());
        let (seen, result) = train_recording(&mut learner, 1, &epoch(1), None);
        result.unwrap();
        assert_eq!(seen.values("inverse_loss").len(), 5);
        assert_eq!(seen.values("batch_loss").len(), 5);
        let trained = State::parse(&learner.save().unwrap());
        for name in start.0.keys() {
            let fixed = name.starts_with("auxiliary.") || name == "noise.key";
            assert_eq!(
                trained.0[name] == start.0[name],
                fixed,
                "{algorithm} {name}"
            );
        }
    }
}

#[test]
fn an_alternating_learner_goes_on_as_if_it_had_never_stopped() {
    for algorithm in ALGORITHMS {
        let settings = learner(algorithm, r#"{"schedule": "alternating"}"#);
        let mut straight = settings.create().unwrap();
        train(&mut straight, 1, &epoch(1), None).1.unwrap();
        let saved = straight.save().unwrap();
        train(&mut straight, 2, &epoch(2), None).1.unwrap();

        let other_seed = Learner {
            seed: 99,
            ..settings
        };
        let mut resumed = other_seed.create().unwrap();
        resumed.restore(&saved).unwrap();
        train(&mut resumed, 2, &epoch(2), None).1.unwrap();
        assert_eq!(resumed.save().unwrap(), straight.save().unwrap());
    }
}

/// The inverses' directions of a learner for one batch, with its own noise or what is given.
fn inverse_directions(learner: &mut assay_abi::LearnerHandle, noise: &[u8]) -> State {
    let samples = Samples::random(4, 8, INPUT, CLASSES);
    let directions = samples.with(|batch| learner.directions(batch, noise));
    State::parse(&directions.unwrap()).part("inverse.")
}

#[test]
fn a_learner_draws_its_noise_by_seed_and_step() {
    let create = |hyperparameters, seed| {
        let learner = Learner {
            seed,
            ..learner("dtp", hyperparameters)
        };
        learner.create().unwrap()
    };
    let mut silence = State::default();
    silence.insert("noise.1", &[8, 5], &[0.0; 40]);
    silence.insert("noise.2", &[8, 6], &[0.0; 48]);
    let silence = silence.to_bytes();

    let mut quiet = create(r#"{"sigma": 0}"#, 1);
    let without = inverse_directions(&mut quiet, &[]);
    assert_eq!(without, inverse_directions(&mut quiet, &silence));

    let mut noisy = create(r#"{"sigma": 0.5}"#, 1);
    let with = inverse_directions(&mut noisy, &[]);
    assert_ne!(with, without);
    assert_eq!(with, inverse_directions(&mut noisy, &[]));
    assert_eq!(without, inverse_directions(&mut noisy, &silence));

    // The same weights under another seed's noise, and at another step.
    let mut state = State::parse(&noisy.save().unwrap());
    let other = State::parse(&create("{}", 2).save().unwrap());
    let (key, step) = ("noise.key".to_owned(), "noise.step".to_owned());
    let mut changed = |name: &String, entry| {
        let before = state.0.insert(name.clone(), entry).unwrap();
        noisy.restore(&state.to_bytes()).unwrap();
        state.0.insert(name.clone(), before);
        inverse_directions(&mut noisy, &[])
    };
    assert_ne!(with, changed(&key, other.0[&key].clone()));
    let mut next = other.0[&step].clone();
    next.bytes = 1_i64.to_le_bytes().to_vec();
    assert_ne!(with, changed(&step, next));
}

#[test]
fn noise_that_does_not_fit_is_refused() {
    let mut learner = learner("sdtp", "{}").create().unwrap();
    let samples = Samples::random(4, 2, INPUT, CLASSES);
    let mut refused = |edit: fn(&mut State), expected: &str| {
        let mut noise = State::default();
        for (l, width) in [(1, 5), (2, 6), (3, 4)] {
            noise.insert(&format!("noise.{l}"), &[2, width], &vec![0.0; 2 * width]);
        }
        edit(&mut noise);
        let result = samples.with(|batch| learner.directions(batch, &noise.to_bytes()));
        let error = result.unwrap_err();
        assert_eq!(error.code, ErrorCode::SHAPE);
        assert!(error.message.contains(expected), "{error}");
    };
    refused(|it| drop(it.0.remove("noise.3")), "no tensor `noise.3`");
    refused(|it| it.insert("noise.4", &[2, 3], &[0.0; 6]), "`noise.4`");
    refused(
        |it| it.insert("noise.1", &[5, 2], &[0.0; 10]),
        "`noise.1` is F32 [5, 2], expected F32 [2, 5]",
    );
    let result = samples.with(|batch| learner.directions(batch, b"noise"));
    assert!(result.unwrap_err().message.contains("safetensors"));
}

#[test]
fn settings_that_do_not_fit_are_refused_by_name() {
    for (algorithm, hyperparameters, expected) in [
        (
            "dtp",
            r#"{"sigma": -1}"#,
            "`sigma` is -1, expected at least 0",
        ),
        (
            "tp",
            r#"{"alpha": 0}"#,
            "`alpha` is 0, expected more than 0",
        ),
        ("sdtp", r#"{"alpha": 0.1}"#, "`alpha`"),
        (
            "sdtp",
            r#"{"schedule": "both"}"#,
            "expected `parallel` or `alternating`",
        ),
        ("dtp", r#"{"inverse_loss": 1}"#, "`inverse_loss` is 1"),
        (
            "dtp",
            r#"{"inverse_beta1": 1}"#,
            "`inverse_beta1` is 1, expected less than 1",
        ),
        (
            "ao-sdtp",
            r#"{"auxiliary_units": 2.5}"#,
            "`auxiliary_units` is 2.5",
        ),
        (
            "ao-sdtp",
            r#"{"auxiliary_units": 65537}"#,
            "expected at most 65536",
        ),
        (
            "ao-sdtp",
            r#"{"auxiliary_activation": "relu"}"#,
            "expected `tanh` or `linear`",
        ),
    ] {
        let error = learner(algorithm, hyperparameters)
            .create()
            .map(drop)
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::HYPERPARAMETERS, "{hyperparameters}");
        assert!(error.message.contains(expected), "{error}");
    }
}

#[test]
fn an_inverse_that_is_no_number_is_named() {
    let mut learner = learner("dtp", "{}").create().unwrap();
    let mut state = State::parse(&learner.save().unwrap());
    state.set("inverse.3.bias", &[0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0]);
    learner.restore(&state.to_bytes()).unwrap();
    let error = train(&mut learner, 4, &epoch(1), None).1.unwrap_err();
    assert_eq!(error.code, ErrorCode::NON_FINITE);
    let expected = "inverse_loss became NaN at step 1 of epoch 4; the first tensor that is not \
                    finite is inverse.3.bias";
    assert_eq!(error.message.as_str(), expected);
}

/// In an alternating epoch the inverses are trained alone, so their loss falls; the noise is part
/// of it, so it is compared over whole epochs.
#[test]
fn the_inverses_learn() {
    for algorithm in ALGORITHMS {
        let hyperparameters = r#"{
            "schedule": "alternating",
            "inverse_learning_rate": 0.01,
            "learning_rate": 1e-6
        }"#;
        let mut learner = learner(algorithm, hyperparameters).create().unwrap();
        let mut losses = Vec::new();
        for number in 1..=60 {
            let (seen, result) = train_recording(&mut learner, number, &epoch(1), None);
            result.unwrap();
            losses.push(seen.values("inverse_loss").iter().sum::<f64>());
        }
        assert!(losses[59] < 0.6 * losses[0], "{algorithm}: {losses:?}");
    }
}
