//! Promises of the algorithms with inverses beyond every learner's contract: which parameters each
//! loss and schedule moves, how noise is drawn and given, which settings are refused.

use crate::support::host::{Samples, train, train_recording};
use crate::support::plugin::{Learner, network};
use crate::support::state::State;
use crate::support::variant::{ALGORITHMS, inverted};
use assay_abi::ErrorCode;

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

/// `tanh(W x + b)` from a saved state.
fn tanh_of(state: &State, map: &str, x: &[f64]) -> Vec<f64> {
    let weight = state.f64(&format!("{map}.weight"));
    let bias = state.f64(&format!("{map}.bias"));
    let rows = weight.chunks(x.len()).zip(bias);
    rows.map(|(row, b)| {
        let sum: f64 = row.iter().zip(x).map(|(w, x)| w * x).sum();
        (sum + b).tanh()
    })
    .collect()
}

#[test]
fn each_layer_reports_the_error_of_its_inverse() {
    let mut learner = learner("dtp", r#"{"sigma": 0}"#).create().unwrap();
    let state = State::parse(&learner.save().unwrap());
    let batch = Samples::random(5, 8, INPUT, CLASSES);
    let (seen, result) = train_recording(&mut learner, 1, std::slice::from_ref(&batch), None);
    result.unwrap();
    for l in [2, 3] {
        let errors = batch.inputs.chunks(6).map(|input| {
            let mut h = vec![input.iter().map(|&x| f64::from(x)).collect::<Vec<_>>()];
            for below in 1..=l {
                h.push(tanh_of(&state, &format!("forward.{below}"), &h[below - 1]));
            }
            let reconstruction = tanh_of(&state, &format!("inverse.{l}"), &h[l]);
            let differences = reconstruction.iter().zip(&h[l - 1]).map(|(g, h)| g - h);
            differences.map(|d| d * d).sum::<f64>()
        });
        let expected = errors.sum::<f64>() / 8.0;
        let found = seen.values(&format!("inverse_loss_{l}"));
        assert_eq!(found.len(), 1);
        let difference = (found[0] - expected).abs() / expected;
        assert!(difference < 1e-5, "layer {l}: {} and {expected}", found[0]);
    }
}

#[test]
fn the_losses_of_the_layers_add_up_to_the_loss_of_the_inverses() {
    for algorithm in ALGORITHMS {
        for schedule in [
            r#"{"schedule": "parallel"}"#,
            r#"{"schedule": "alternating"}"#,
        ] {
            let mut learner = learner(algorithm, schedule).create().unwrap();
            let (seen, result) = train_recording(&mut learner, 1, &epoch(3), None);
            result.unwrap();
            let of_layers: Vec<_> = inverted(algorithm, 4)
                .map(|l| seen.values(&format!("inverse_loss_{l}")))
                .collect();
            let family = seen
                .0
                .keys()
                .filter(|name| name.starts_with("inverse_loss_"));
            assert_eq!(family.count(), of_layers.len(), "{algorithm}");
            let whole = seen.values("inverse_loss");
            assert_eq!(whole.len(), 5);
            for (step, whole) in whole.iter().enumerate() {
                let sum: f64 = of_layers.iter().map(|losses| losses[step]).sum();
                assert!(
                    (sum - whole).abs() <= 1e-12 * whole,
                    "{algorithm}: {sum}, {whole}"
                );
            }
        }
    }
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
