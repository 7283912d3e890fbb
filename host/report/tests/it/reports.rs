//! Trainings that become one row, and trainings that are refused.

use assay_report::{ERROR, Quantity, Report, ReportEntry, ReportError, Split};
use proptest::prelude::*;
use serde_json::json;

use crate::samples::{entry, metric, reconstruction, small};

fn build(entries: Vec<ReportEntry>) -> Result<Report, ReportError> {
    Report::build("report", entries)
}

fn methods(report: &Report) -> Vec<&str> {
    report
        .rows()
        .iter()
        .map(|row| row.label.method.as_str())
        .collect()
}

#[test]
fn seeds_of_one_method_form_one_row_in_order_of_appearance() {
    let report = build(small()).unwrap();
    assert_eq!(methods(&report), ["bp", "fa|b"]);
    let bp = &report.rows()[0];
    assert_eq!((bp.seeds, bp.epochs), (2, 2));
    let best = bp.get(Quantity::TestErrorBestEpoch).unwrap();
    assert_eq!((best.mean, best.n), (2.5, 2));
    assert!((best.sd.unwrap() - 0.5_f64.sqrt()).abs() < 1e-15);
}

#[test]
fn settings_that_differ_become_part_of_the_name() {
    let base = entry("fa", 1, &[(5.0, 4.0)]);
    let mut other = base.clone();
    other
        .hyperparameters
        .insert("learning_rate".to_owned(), json!(0.01));
    let report = build(vec![base, other]).unwrap();
    assert_eq!(
        methods(&report),
        ["fa (learning_rate = 0.001)", "fa (learning_rate = 0.01)"]
    );
}

#[test]
fn the_same_method_on_two_networks_keeps_its_name() {
    let base = entry("fa", 1, &[(5.0, 4.0)]);
    let other = ReportEntry {
        network: "lc".to_owned(),
        ..base.clone()
    };
    assert_eq!(methods(&build(vec![base, other]).unwrap()), ["fa", "fa"]);
}

#[test]
fn a_diverged_seed_is_shown_and_not_averaged_away() {
    let report = build(vec![
        entry("fa", 1, &[(5.0, 4.0)]),
        entry("fa", 2, &[(f64::NAN, 4.0)]),
    ])
    .unwrap();
    assert_eq!(
        report.rows()[0].show(Quantity::TestErrorLastEpoch),
        "5.00 (1 of 2)"
    );
}

#[test]
fn nothing_to_report_is_an_error() {
    assert_eq!(build(Vec::new()), Err(ReportError::Empty));
}

#[test]
fn a_training_without_errors_is_refused() {
    let mut only_loss = entry("fa", 3, &[(5.0, 4.0)]);
    only_loss.metrics = vec![metric(1, Split::Train, "loss", 0.1)];
    let error = build(vec![only_loss]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`fa` on mnist, fc, seed 3 has no `error` metric; train it again with an evaluation split"
    );
}

#[test]
fn tasks_do_not_mix() {
    let entries = vec![
        entry("bp", 1, &[(5.0, 4.0)]),
        reconstruction("bp", 1, &[(50.0, 40.0)]),
    ];
    assert_eq!(
        build(entries).unwrap_err().to_string(),
        "`bp` on mnist, autoencoder is a reconstruction, but `bp` on mnist, fc a classification: \
         their errors have different units; make a report for each"
    );
}

#[test]
fn a_reconstruction_is_no_share_of_the_samples_and_no_classification() {
    let report = build(vec![reconstruction("bp", 1, &[(250.0, 240.0)])]).unwrap();
    assert_eq!(
        report.rows()[0].show(Quantity::TestErrorLastEpoch),
        "250.000"
    );
    let mut without = entry("bp", 1, &[(5.0, 4.0)]);
    without.task = reconstruction("bp", 1, &[]).task;
    assert!(matches!(
        build(vec![without]),
        Err(ReportError::NoErrors {
            metric: "reconstruction_error",
            ..
        })
    ));
}

#[test]
fn the_same_training_twice_is_refused() {
    let one = entry("fa", 3, &[(5.0, 4.0)]);
    let error = build(vec![one.clone(), one]).unwrap_err();
    assert!(matches!(error, ReportError::SameTraining { seed: 3, .. }));
}

#[test]
fn metrics_that_cannot_be_right_are_refused() {
    let with = |row| {
        let mut entry = entry("fa", 1, &[(5.0, 4.0)]);
        entry.metrics.push(row);
        build(vec![entry]).unwrap_err()
    };
    let error = with(metric(2, Split::Validation, ERROR, 1.0));
    assert!(matches!(
        error,
        ReportError::Epoch {
            epoch: 2,
            epochs: 1,
            ..
        }
    ));
    let error = with(metric(1, Split::Validation, ERROR, 100.5));
    assert!(matches!(error, ReportError::Percent { .. }));
    let error = with(metric(1, Split::Test, ERROR, 5.0));
    assert!(matches!(
        error,
        ReportError::TwoValues {
            epoch: 1,
            split: Split::Test,
            ..
        }
    ));
}

proptest! {
    #[test]
    fn the_order_of_seeds_changes_no_number(
        finals in prop::collection::vec(0.0..100.0, 1..8)
            .prop_flat_map(|values| {
                let seeded: Vec<_> = (0_u64..).zip(values).collect();
                (Just(seeded.clone()), Just(seeded).prop_shuffle())
            })
    ) {
        let trainings = |seeds: &[(u64, f64)]| {
            let entries = seeds.iter().map(|(seed, error)| entry("fa", *seed, &[(*error, *error)]));
            build(entries.collect()).unwrap()
        };
        prop_assert_eq!(trainings(&finals.0), trainings(&finals.1));
    }
}
