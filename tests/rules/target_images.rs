//! Target propagation on networks with locally connected layers and convolutions: the directions
//! of forward and inverse weights against the reference, the layout of what is saved, training.

use crate::support::host::{train, train_recording};
use crate::support::images::{CLASSES, Problem, Top, mixed, problems, target_directions};
use crate::support::plugin::{Learner, network};
use crate::support::running::assert_close;
use crate::support::state::State;
use crate::support::variant::{ALGORITHMS, Variant, inverted, noise, noise_bytes, strengthen};
use assay_abi::ErrorCode;
use proptest::prelude::*;

/// Fails unless the directions are those of the reference.
fn compare(variant: Variant, problem: &Problem) {
    let (algorithm, hyperparameters) = (variant.algorithm, variant.hyperparameters());
    let learner = Learner {
        hyperparameters: &hyperparameters,
        ..problem.settings(algorithm, problem.seed)
    };
    let noise = noise(algorithm, &problem.widths(), problem.samples, problem.seed);
    let bytes = noise_bytes(&noise, problem.samples);
    let (state, found) = problem.directions_of(&learner, &bytes, strengthen);
    let reference = variant.reference(&problem.unrolled(&state), problem.reconstructs());
    let expected = target_directions(problem, &reference, &noise);
    assert!(found.0.keys().eq(expected.keys()), "{:?}", found.0.keys());
    for (name, direction) in &expected {
        assert_eq!(found.shape(name), state.shape(name));
        assert_close(name, &found.f32(name), direction);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn tp_follows_its_equations(problem in problems(), denoising: bool) {
        compare(Variant { algorithm: "tp", denoising, linear_auxiliary: false }, &problem);
    }

    #[test]
    fn dtp_follows_its_equations(problem in problems(), denoising: bool) {
        compare(Variant { algorithm: "dtp", denoising, linear_auxiliary: false }, &problem);
    }

    #[test]
    fn sdtp_follows_its_equations(problem in problems(), denoising: bool) {
        compare(Variant { algorithm: "sdtp", denoising, linear_auxiliary: false }, &problem);
    }

    #[test]
    fn ao_sdtp_follows_its_equations(
        problem in problems(), denoising: bool, linear_auxiliary: bool,
    ) {
        prop_assume!(problem.top != Top::Image);
        compare(Variant { algorithm: "ao-sdtp", denoising, linear_auxiliary }, &problem);
    }
}

/// The layers of [`mixed`] with inverses lie between 24 x 4 x 5, 5 x 4 x 5 and 3 x 2 x 3 images
/// and a vector of 6.
#[test]
fn saved_inverses_have_the_documented_shapes() {
    for algorithm in ALGORITHMS {
        let state = State::parse(&mixed().learner(algorithm, 1).save().unwrap());
        for (name, shape) in [
            ("inverse.2.weight", &[5, 4, 5, 24, 3, 3][..]),
            ("inverse.2.bias", &[24, 4, 5]),
            ("inverse.3.weight", &[3, 5, 5, 5]),
            ("inverse.3.bias", &[5, 4, 5]),
            ("inverse.4.weight", &[18, 6]),
            ("inverse.4.bias", &[3, 2, 3]),
            (
                "optimiser.inverse.2.weight.second_moment",
                &[5, 4, 5, 24, 3, 3],
            ),
        ] {
            assert_eq!(state.shape(name), shape, "{algorithm} {name}");
        }
        let count = inverted(algorithm, 5).count();
        assert_eq!(state.part("inverse.").0.len(), 2 * count);
    }
    let problem = Problem::new([2, 7, 10], &[(3, 3, 2, false)], Vec::new(), 3, 5);
    let state = State::parse(&problem.learner("ao-sdtp", 1).save().unwrap());
    assert_eq!(state.shape("auxiliary.weight"), [256, 60]);
    assert_eq!(state.shape("inverse.2.weight"), [60, CLASSES + 256]);
}

#[test]
fn auxiliary_units_cannot_stand_beside_an_image() {
    let image = |hyperparameters| Learner {
        algorithm: "ao-sdtp",
        network: network(&[2, 3, 4], &["lc 3x3 5 s1", "conv 3x3 2 s1"]),
        hyperparameters,
        ..Learner::default()
    };
    let error = image("{}").create().map(drop).unwrap_err();
    assert_eq!(error.code, ErrorCode::UNSUPPORTED);
    assert!(error.message.contains("auxiliary_units to 0"), "{error}");
    image(r#"{"auxiliary_units": 0}"#)
        .create()
        .map(drop)
        .unwrap();
}

#[test]
fn a_restored_learner_goes_on_as_if_it_had_never_stopped() {
    let problem = mixed();
    for algorithm in ALGORITHMS {
        for hyperparameters in ["{}", r#"{"schedule": "alternating"}"#] {
            let learner = |seed| {
                let settings = Learner {
                    hyperparameters,
                    ..problem.settings(algorithm, seed)
                };
                settings.create().unwrap()
            };
            let mut straight = learner(1);
            train(&mut straight, 1, &problem.epoch(1), None).1.unwrap();
            let saved = straight.save().unwrap();
            train(&mut straight, 2, &problem.epoch(4), None).1.unwrap();

            let mut resumed = learner(77);
            resumed.restore(&saved).unwrap();
            assert_eq!(resumed.save().unwrap(), saved);
            train(&mut resumed, 2, &problem.epoch(4), None).1.unwrap();
            assert_eq!(resumed.save().unwrap(), straight.save().unwrap());
        }
    }
}

#[test]
fn the_inverses_learn_and_the_network_with_them() {
    let problem = mixed();
    let batches: Vec<_> = (0..4).map(|seed| problem.batch(seed)).collect();
    for algorithm in ALGORITHMS {
        let settings = Learner {
            hyperparameters: r#"{"learning_rate": 0.003, "sigma": 0.05}"#,
            ..problem.settings(algorithm, 1)
        };
        let mut learner = settings.create().unwrap();
        let mut epoch = |number| {
            let (seen, result) = train_recording(&mut learner, number, &batches, None);
            result.unwrap();
            ["batch_loss", "inverse_loss"].map(|name| seen.values(name).iter().sum::<f64>())
        };
        let first = epoch(1);
        let mut last = first;
        for number in 2..150 {
            last = epoch(number);
        }
        assert!(last[1] < 0.8 * first[1], "{algorithm}: {first:?} {last:?}");
        // Without the difference rule the inverses' error is part of every target.
        let learns = algorithm != "tp";
        assert!(
            !learns || last[0] < 0.5 * first[0],
            "{algorithm}: {first:?} {last:?}"
        );
    }
}
