//! The protocol's numbers against values worked out by hand.

use assay_report::{
    Choice, ERROR, Quantity, Split, State, Statistic, TOP_5_ERROR, Task, summarise,
};
use proptest::prelude::*;

use crate::samples::{entry, evaluation, metric, reconstruction, with_validation};

#[test]
fn statistics_match_the_closed_form() {
    let one = Statistic::of(&[3.0]).unwrap();
    assert_eq!((one.mean, one.sd, one.n), (3.0, None, 1));
    let four = Statistic::of(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!((four.mean, four.n), (2.5, 4));
    assert!((four.sd.unwrap() - (5.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    assert_eq!(Statistic::of(&[]), None);
}

#[test]
fn the_best_epoch_is_the_first_with_the_lowest_test_error() {
    let entry = entry("bp", 1, &[(5.0, 4.0), (2.0, 3.0), (2.0, 1.0), (2.5, 0.5)]);
    let summary = summarise(&entry.metrics, &entry.evaluation, entry.epochs, entry.task);
    assert_eq!(summary.epoch(Choice::Test), Some(2));
    assert_eq!(summary.get(Quantity::TestErrorBestEpoch), Some(2.0));
    assert_eq!(summary.get(Quantity::TrainErrorBestEpoch), Some(3.0));
    assert_eq!(summary.get(Quantity::TrainErrorMinimum), Some(0.5));
    assert_eq!(summary.get(Quantity::TestErrorLastEpoch), Some(2.5));
    assert_eq!(summary.get(Quantity::TrainErrorLastEpoch), Some(0.5));
    assert_eq!(summary.get(Quantity::TestErrorValidationEpoch), None);
}

#[test]
fn the_honest_number_is_that_of_the_chosen_state() {
    let entry = with_validation(entry("bp", 1, &[(4.0, 3.0), (2.0, 1.0)]), 4.0, 3.0);
    let summary = summarise(&entry.metrics, &entry.evaluation, entry.epochs, entry.task);
    assert_eq!(summary.get(Quantity::TestErrorBestEpoch), Some(2.0));
    assert_eq!(summary.get(Quantity::TestErrorValidationEpoch), Some(4.0));
    assert_eq!(summary.get(Quantity::TrainErrorValidationEpoch), Some(3.0));
    assert_eq!(
        summary.get(Quantity::ValidationErrorValidationEpoch),
        Some(2.5)
    );
}

#[test]
fn without_a_validation_split_a_best_state_counts_for_nothing() {
    let metrics = [metric(1, Split::Test, ERROR, 4.0)];
    let states = [evaluation(State::Best, Split::Test, ERROR, 4.0)];
    let summary = summarise(&metrics, &states, 1, Task::Classification);
    assert_eq!(summary.get(Quantity::TestErrorValidationEpoch), None);
}

#[test]
fn the_last_epoch_is_that_of_the_final_state() {
    let metrics = [
        metric(1, Split::Test, ERROR, 4.0),
        metric(2, Split::Train, ERROR, 1.0),
    ];
    let states = [
        evaluation(State::Final, Split::Test, ERROR, 3.0),
        evaluation(State::Final, Split::Test, TOP_5_ERROR, 0.5),
    ];
    let summary = summarise(&metrics, &states, 2, Task::Classification);
    assert_eq!(summary.get(Quantity::TestErrorLastEpoch), Some(3.0));
    assert_eq!(summary.get(Quantity::TestTop5ErrorLastEpoch), Some(0.5));
    assert_eq!(summary.get(Quantity::TrainErrorLastEpoch), Some(1.0));
}

#[test]
fn what_is_not_finite_is_absent() {
    let metrics = [
        metric(1, Split::Test, ERROR, f64::NAN),
        metric(2, Split::Test, ERROR, 7.0),
        metric(3, Split::Test, ERROR, f64::INFINITY),
    ];
    let summary = summarise(&metrics, &[], 3, Task::Classification);
    assert_eq!(summary.epoch(Choice::Test), Some(2));
    assert_eq!(summary.get(Quantity::TestErrorLastEpoch), None);
}

#[test]
fn a_reconstruction_is_summarised_by_its_own_error() {
    let mut rows = reconstruction("bp", 1, &[(60.0, 50.0), (40.5, 41.0)]);
    // Were it a classification's, this would be the lowest error of all.
    rows.metrics.push(metric(1, Split::Test, ERROR, 0.0));
    let summary = summarise(&rows.metrics, &rows.evaluation, 2, rows.task);
    assert_eq!(summary.epoch(Choice::Test), Some(2));
    assert_eq!(summary.get(Quantity::TestErrorBestEpoch), Some(40.5));
    assert_eq!(summary.get(Quantity::TrainErrorMinimum), Some(41.0));
}

#[test]
fn the_names_of_quantities_say_what_is_measured() {
    let name = |quantity: Quantity, task| quantity.name(task);
    let best = Quantity::TestErrorBestEpoch;
    assert_eq!(name(best, Task::Classification), "test_error_best_epoch");
    assert_eq!(
        name(best, Task::Reconstruction),
        "test_reconstruction_error_best_epoch"
    );
    let top_5 = Quantity::TestTop5ErrorLastEpoch;
    assert_eq!(
        name(top_5, Task::Classification),
        "test_top_5_error_last_epoch"
    );
    assert!(!Quantity::of(Task::Reconstruction).contains(&top_5));
    assert_eq!(Quantity::of(Task::Classification), Quantity::ALL);
}

fn shuffled() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    prop::collection::vec(0.0..100.0, 1..20)
        .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle()))
}

proptest! {
    #[test]
    fn the_order_of_values_changes_no_bit((values, shuffled) in shuffled()) {
        prop_assert_eq!(Statistic::of(&values), Statistic::of(&shuffled));
    }

    #[test]
    fn a_shift_moves_the_mean_and_keeps_the_spread(
        values in prop::collection::vec(0.0_f64..100.0, 2..20),
        shift in -50.0_f64..50.0,
    ) {
        let before = Statistic::of(&values).unwrap();
        let moved: Vec<f64> = values.iter().map(|value| value + shift).collect();
        let after = Statistic::of(&moved).unwrap();
        prop_assert!((after.mean - before.mean - shift).abs() < 1e-9);
        prop_assert!((after.sd.unwrap() - before.sd.unwrap()).abs() < 1e-9);
    }

    #[test]
    fn the_order_of_rows_changes_no_number(
        errors in prop::collection::vec((0_u32..20, 0_u32..20), 1..20),
        seed in any::<prop::sample::Index>(),
    ) {
        let errors: Vec<_> = errors.iter().map(|(a, b)| (f64::from(*a), f64::from(*b))).collect();
        let entry = entry("bp", 1, &errors);
        let mut rotated = entry.metrics.clone();
        rotated.rotate_left(seed.index(entry.metrics.len()));
        rotated.reverse();
        prop_assert_eq!(
            summarise(&entry.metrics, &[], entry.epochs, entry.task),
            summarise(&rotated, &[], entry.epochs, entry.task)
        );
    }
}
