//! Trainings to make reports of.

use std::collections::BTreeMap;

use assay_report::{
    Conditions, ERROR, EvaluationRow, MetricRow, RECONSTRUCTION_ERROR, ReportEntry, Sources, Split,
    State, Task,
};
use serde_json::json;

pub(crate) fn metric(epoch: u32, split: Split, metric: &str, value: f64) -> MetricRow {
    MetricRow {
        epoch,
        split,
        metric: metric.to_owned(),
        value,
    }
}

pub(crate) fn evaluation(state: State, split: Split, metric: &str, value: f64) -> EvaluationRow {
    EvaluationRow {
        state,
        split,
        metric: metric.to_owned(),
        value,
    }
}

/// A training whose test and train errors after each epoch are `errors`.
pub(crate) fn entry(method: &str, seed: u64, errors: &[(f64, f64)]) -> ReportEntry {
    let mut metrics = Vec::new();
    for (epoch, (test, train)) in (1..).zip(errors) {
        metrics.push(metric(epoch, Split::Test, ERROR, *test));
        metrics.push(metric(epoch, Split::Train, ERROR, *train));
    }
    ReportEntry {
        method: method.to_owned(),
        algorithm: method.to_owned(),
        network: "fc".to_owned(),
        dataset: "mnist".to_owned(),
        task: Task::Classification,
        seed,
        epochs: u32::try_from(errors.len()).unwrap(),
        batch_size: 128,
        conditions: Conditions {
            train_images: 55_000,
            validation_images: None,
            test_images: 10_000,
            device: "cpu".to_owned(),
        },
        hyperparameters: json!({ "learning_rate": 0.001 })
            .as_object()
            .unwrap()
            .clone(),
        search: None,
        wrong: BTreeMap::new(),
        reconstructions: Vec::new(),
        figures: None,
        diverged_in_epoch: None,
        metrics,
        evaluation: Vec::new(),
        sources: Sources {
            training: format!("training of {method}, seed {seed}"),
            evaluation: format!("evaluation of {method}, seed {seed}"),
        },
    }
}

/// `entry` with a validation split, whose chosen state has these test and train errors.
pub(crate) fn with_validation(mut entry: ReportEntry, test: f64, train: f64) -> ReportEntry {
    entry.metrics.push(metric(1, Split::Validation, ERROR, 2.5));
    entry.evaluation = vec![
        evaluation(State::Best, Split::Validation, ERROR, 2.5),
        evaluation(State::Best, Split::Test, ERROR, test),
        evaluation(State::Best, Split::Train, ERROR, train),
    ];
    entry
}

/// Two methods; the first with two seeds and a validation split.
pub(crate) fn small() -> Vec<ReportEntry> {
    vec![
        with_validation(entry("bp", 1, &[(4.0, 3.0), (2.0, 1.0)]), 4.0, 3.0),
        entry("fa|b", 1, &[(6.0, 5.0), (6.5, 4.5)]),
        with_validation(entry("bp", 2, &[(3.0, 2.0), (3.5, 1.5)]), 3.0, 2.0),
    ]
}

/// An autoencoder whose test and train reconstruction errors after each epoch are `errors`.
pub(crate) fn reconstruction(method: &str, seed: u64, errors: &[(f64, f64)]) -> ReportEntry {
    let mut entry = entry(method, seed, errors);
    entry.task = Task::Reconstruction;
    "autoencoder".clone_into(&mut entry.network);
    for row in &mut entry.metrics {
        RECONSTRUCTION_ERROR.clone_into(&mut row.metric);
    }
    entry
}
