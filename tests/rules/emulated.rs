//! A training on a card whose kernels are emulated gives the bytes of one on a processor, for every rule that says that it is
//! portable: weights, moments, streams of random numbers, outputs, and every number that is reported.

use assay_abi::{ErrorCode, PluginError};
use assay_testkit::{Outcome, Subject};
use serde_json::Value;

use crate::support::host::{Recorder, Samples, train_recording};
use crate::support::plugin::{Learner, load, network, rules};

/// Networks by input and layers: one of all tiles, windows of both kinds, other functions of units, and one that
/// reconstructs its input.
const NETWORKS: [([usize; 3], &[&str]); 5] = [
    ([1, 12, 12], &["fc 150", "fc 70", "softmax 10"]),
    (
        [2, 5, 6],
        &["lc 3x3 6 s2", "conv 5x5 5 s1", "fc 9", "softmax 5"],
    ),
    (
        [2, 6, 5],
        &["conv 3x3 4 s1 relu", "fc 13 relu norm", "softmax 4"],
    ),
    ([1, 5, 4], &["fc 9 norm", "fc 8 relu", "softmax 3"]),
    ([1, 2, 3], &["fc 8", "fc 3", "fc 8", "fc 6"]),
];

/// A training of two epochs: what it reported, the outputs for its last batch, and its state.
struct Trained {
    reports: Vec<Recorder>,
    outputs: Vec<f32>,
    state: Vec<u8>,
}

fn train(
    learner: &Learner<'_>,
    batches: &[Samples],
    outputs: usize,
) -> Result<Trained, PluginError> {
    let mut learner = learner.create()?;
    let mut reports = Vec::new();
    for epoch in 1..=2 {
        let (report, result) = train_recording(&mut learner, epoch, batches, None);
        result?;
        reports.push(report);
    }
    let last = batches.last().unwrap();
    let mut values = vec![f32::NAN; last.labels.len() * outputs];
    last.with(|batch| learner.predict(batch.inputs, &mut values))?;
    Ok(Trained {
        reports,
        outputs: values,
        state: learner.save()?,
    })
}

#[test]
fn every_portable_rule_trains_on_an_emulated_card_as_on_a_processor() {
    let device = assay_emulation::device();
    let mut compared = 0;
    for rule in rules() {
        for algorithm in load(&rule).algorithms().unwrap() {
            let schema: Value = serde_json::from_str(&algorithm.hyperparameters).unwrap();
            if schema.get("portable").is_none() {
                continue;
            }
            for (input, layers) in NETWORKS {
                let learner = |device| Learner {
                    algorithm: &rule,
                    network: network(&input, layers),
                    hyperparameters: r#"{"learning_rate": 0.002}"#,
                    device,
                    ..Learner::default()
                };
                let classes = layers.last().unwrap().split(' ').nth(1).unwrap();
                let classes = classes.parse().unwrap();
                let batches: Vec<_> = (1..)
                    .zip([17, 17, 17, 66, 5])
                    .map(|(seed, samples)| Samples::random(seed, samples, input, classes))
                    .collect();
                let on_card = train(&learner(&device), &batches, classes);
                let name = format!("{rule} on {layers:?}");
                match (train(&learner("cpu"), &batches, classes), on_card) {
                    (Ok(expected), Ok(found)) => {
                        compared += 1;
                        assert_same(&name, &expected, &found);
                    }
                    (Err(expected), Err(found)) => {
                        assert_eq!(expected.code, ErrorCode::UNSUPPORTED, "{name}: {expected}");
                        assert_eq!(expected.message, found.message, "{name}");
                    }
                    (expected, found) => panic!(
                        "{name}: {:?} on a processor, {:?} on the card",
                        expected.err(),
                        found.err()
                    ),
                }
            }
        }
    }
    assert!(compared > 80, "only {compared} trainings were compared");
}

#[test]
fn rules_train_as_on_a_processor_from_kernels_that_are_read_as_for_a_card() {
    let device = format!(
        "emulated:{}",
        assay_emulation::library_on_threads().display()
    );
    let trainings: [(&str, [usize; 3], &[&str]); 2] = [
        (
            "bp",
            [1, 5, 4],
            &["lc 3x3 2 s2", "conv 3x3 2 s1", "softmax 3"],
        ),
        ("dtp", [1, 2, 3], &["fc 5", "fc 4", "softmax 3"]),
    ];
    for (rule, input, layers) in trainings {
        let trained = |device| {
            let learner = Learner {
                algorithm: rule,
                network: network(&input, layers),
                device,
                ..Learner::default()
            };
            let batches = [7, 7, 3].map(|samples| Samples::random(1, samples, input, 3));
            train(&learner, &batches, 3).unwrap()
        };
        assert_same(rule, &trained("cpu"), &trained(&device));
    }
}

#[test]
fn every_portable_rule_trains_on_a_split_that_an_emulated_card_keeps() {
    let device = assay_emulation::device();
    let check = assay_testkit::find("resident").unwrap();
    let mut passed = 0;
    // Learners of the kit do not wait for their turn with what is set once in a process.
    let first = Learner {
        network: network(&[1, 2, 2], &["softmax 3"]),
        ..Learner::default()
    };
    drop(first.create().unwrap());
    for rule in rules() {
        let plugin = load(&rule);
        for algorithm in plugin.algorithms().unwrap() {
            let verdict = check.of_algorithm(&Subject {
                plugin,
                algorithm,
                seed: 3,
                device: &device,
                threads: 1,
            });
            assert_ne!(
                verdict.outcome,
                Outcome::Failed,
                "{rule}: {}",
                verdict.reason
            );
            passed += usize::from(verdict.outcome == Outcome::Passed);
        }
    }
    assert!(passed > 15, "only {passed} rules keep splits");
}

fn assert_reported(name: &str, expected: &Recorder, found: &Recorder) {
    let bits = |report: &Recorder| -> Vec<(String, Vec<u64>)> {
        let of = |values: &Vec<f64>| values.iter().map(|it| it.to_bits()).collect();
        let all = report.0.iter();
        all.map(|(name, it)| (name.clone(), of(it))).collect()
    };
    assert_eq!(
        bits(expected),
        bits(found),
        "{name}: {:?} {:?}",
        expected.0,
        found.0
    );
}

fn assert_same(name: &str, expected: &Trained, found: &Trained) {
    for (expected, found) in expected.reports.iter().zip(&found.reports) {
        assert!(!expected.0.is_empty(), "{name} reported nothing");
        assert_reported(name, expected, found);
    }
    let bits = |values: &[f32]| values.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&expected.outputs), bits(&found.outputs), "{name}");
    assert!(expected.state == found.state, "{name}: the states differ");
}

/// A training that may diverge: what its last epoch reported, and its error.
fn diverge(learner: &Learner<'_>, batches: &[Samples]) -> Option<(Recorder, PluginError)> {
    let mut learner = learner.create().unwrap();
    (1..4).find_map(|epoch| {
        let (report, result) = train_recording(&mut learner, epoch, batches, None);
        Some((report, result.err()?))
    })
}

#[test]
fn a_training_that_diverges_is_told_of_alike() {
    let device = assay_emulation::device();
    let input = [1, 4, 4];
    let tanh: &[&str] = &["fc 9", "fc 7", "softmax 3"];
    let relu: &[&str] = &["fc 9 relu", "fc 7 relu", "softmax 3"];
    let windows: &[&str] = &["conv 3x3 2 s1 relu", "lc 3x3 3 s2 relu", "softmax 3"];
    let image: &[&str] = &["fc 9 relu", "fc 16"];
    let sgd = r#"{"optimiser": "sgd", "learning_rate": 1e12}"#;
    let adam = r#"{"learning_rate": 1e25}"#;
    let mut told = Vec::new();
    for (rule, layers, hyperparameters, largest) in [
        ("bp", tanh, adam, 1.0),
        ("bp", relu, adam, 1.0),
        ("bp", windows, adam, 1.0),
        ("bp", image, adam, 1.0),
        ("bp", relu, "{}", 3e38),
        ("bp", relu, "{}", 1e20),
        ("dfa", relu, adam, 1.0),
        ("dtp", tanh, adam, 1.0),
        ("dtp", relu, "{}", 3e38),
        ("dtp", relu, r#"{"inverse_learning_rate": 2e38}"#, 1.0),
        ("dtp", tanh, r#"{"inverse_learning_rate": 1e38}"#, 1.0),
        ("sdtp", relu, r#"{"learning_rate": 1e15}"#, 1.0),
        ("kp", relu, sgd, 1.0),
        ("local-loss", relu, sgd, 1.0),
        ("perturbation", relu, sgd, 1.0),
    ] {
        // The numbers that do not fit are not in the first step, nor the last of those read together.
        let mut batches: Vec<_> = (1..=70)
            .map(|seed| Samples::random(seed, 6, input, 3))
            .collect();
        for samples in &mut batches[40..] {
            samples.inputs.iter_mut().for_each(|it| *it *= largest);
        }
        let learner = |device| Learner {
            algorithm: rule,
            network: network(&input, layers),
            hyperparameters,
            device,
            ..Learner::default()
        };
        let name = format!("{rule} on {layers:?} with {hyperparameters}, {largest:e}");
        let Some((expected, error)) = diverge(&learner("cpu"), &batches) else {
            continue;
        };
        let (found, same) = diverge(&learner(&device), &batches).expect(&name);
        assert_eq!(error.code, ErrorCode::NON_FINITE, "{name}: {error}");
        assert_eq!(error.message, same.message, "{name}");
        assert_reported(&name, &expected, &found);
        told.push(error.message.to_string());
    }
    for kind in [
        "batch_loss became",
        "a direction became",
        "inverse_loss became",
    ] {
        assert!(
            told.iter().any(|it| it.contains(kind)),
            "no {kind:?} in {told:#?}"
        );
    }
}
