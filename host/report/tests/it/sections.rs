//! The tables beneath the main one: how certain the numbers are, methods over all networks, and
//! searches.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use assay_report::{
    ERROR, MAJORITY_CLASS_ERROR, Quantity, Report, ReportEntry, Search, SearchTrial, Split, State,
    Task, read_table, read_trainings,
};
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::samples::{entry, evaluation, with_validation};

fn written(entries: Vec<ReportEntry>) -> (TempDir, String) {
    let folder = tempdir().unwrap();
    let report = Report::build("Report", entries).unwrap();
    report.write(folder.path(), None).unwrap();
    let text = fs::read_to_string(folder.path().join("table.md")).unwrap();
    (folder, text)
}

/// The cells of the first row of the section.
#[track_caller]
fn first_row(text: &str, title: &str) -> Vec<String> {
    let (_, section) = text.split_once(&format!("## {title}\n")).unwrap();
    let row = section.lines().filter(|line| line.starts_with('|')).nth(2);
    let cells = row.unwrap().trim_matches('|').split(" | ");
    cells.map(|cell| cell.trim().to_owned()).collect()
}

fn three_seeds() -> Vec<ReportEntry> {
    let errors = [1.0, 2.0, 3.0];
    (1..)
        .zip(errors)
        .map(|(seed, error)| with_validation(entry("bp", seed, &[(error, 0.0)]), error, 0.0))
        .collect()
}

#[test]
fn intervals_are_given_from_three_seeds_on() {
    let mut entries = three_seeds();
    for (number, entry) in entries.iter_mut().enumerate() {
        // One, two and three of a hundred images wrong, the same ones first.
        let wrong = (0..100).map(|image| image <= number).collect();
        entry.wrong = BTreeMap::from([(State::Best, wrong)]);
    }
    let (_folder, text) = written(entries);
    // 2 ± 4.3027 / √3, and 2 ± 4.3027 · √(4/3). Of the images, one is wrong for all, one for two
    // and one for one: Σ(pᵢ − m)² = 14/9 − 100 · 0.02², t with 99 degrees of freedom
    // 1.9842, and no error is below 0. Between two images the mean covariance over the seeds is
    // (3 · 14 − 6² − 4) / (3 · 2 · 100 · 99), whose root is 0.58 %.
    assert_eq!(
        first_row(&text, "How certain the test errors are")[3..],
        [
            "3",
            "validation",
            "2.00",
            "-0.48 to 4.48",
            "0.00 to 4.46",
            "-2.97 to 6.97",
            "1.00",
            "0.58",
            "—"
        ]
    );
    let mut two = three_seeds();
    two.pop();
    let (_folder, text) = written(two);
    assert!(!text.contains("How certain"));
}

#[test]
fn a_training_that_diverged_is_counted_and_in_no_number() {
    let mut entries = three_seeds();
    let mut diverged = entry("bp", 4, &[(99.0, 99.0)]);
    diverged.diverged_in_epoch = Some(1);
    diverged.metrics.clear();
    entries.push(diverged);
    let (folder, text) = written(entries);
    let rows = read_table(&folder.path().join("table.parquet")).unwrap();
    assert_eq!((rows[0].seeds, rows[0].diverged), (4, 1));
    let certain = first_row(&text, "How certain the test errors are");
    assert_eq!(
        certain[3..6],
        ["4, 1 diverged in epoch 1", "validation", "2.00"]
    );
}

#[test]
fn a_training_that_ends_above_the_majority_class_has_diverged() {
    let ends_at = |seed, error| {
        let mut entry = entry("bp", seed, &[(5.0, 5.0), (90.0, error)]);
        entry.evaluation = [(ERROR, error), (MAJORITY_CLASS_ERROR, 88.0)]
            .map(|(metric, value)| evaluation(State::Final, Split::Train, metric, value))
            .into();
        entry
    };
    // To name the most frequent class always is no divergence.
    let (folder, _) = written(vec![ends_at(1, 87.0), ends_at(2, 88.0), ends_at(3, 88.1)]);
    let rows = read_table(&folder.path().join("table.parquet")).unwrap();
    assert_eq!((rows[0].seeds, rows[0].diverged), (3, 1));
    let trainings = read_trainings(&folder.path().join("metrics.parquet")).unwrap();
    let diverged: Vec<_> = trainings.iter().map(|it| it.diverged).collect();
    assert_eq!(diverged, [false, false, true]);
    let quantity = Quantity::TestErrorBestEpoch;
    let values = trainings
        .iter()
        .map(|it| it.value(quantity, Task::Classification));
    assert_eq!(values.collect::<Vec<_>>(), [Some(5.0), Some(5.0), None]);
    assert_eq!(trainings[0].sources.evaluation, "evaluation of bp, seed 1");
}

#[test]
fn methods_are_compared_over_networks_by_ratios() {
    let mut entries = Vec::new();
    for (network, bp, fa) in [("fc", 2.0, 3.0), ("lc", 1.0, 2.5), ("conv", 4.0, 4.0)] {
        for (method, error) in [("bp", bp), ("fa", fa)] {
            let mut entry = entry(method, 1, &[(error, 0.0)]);
            network.clone_into(&mut entry.network);
            entries.push(entry);
        }
    }
    let (_folder, text) = written(entries);
    assert_eq!(
        first_row(&text, "Over all networks"),
        ["bp", "1.00", "—", "100 %", "100 %", "100 %"]
    );
    // The ratios are 1.5, 2.5 and 1; none of three is cut off.
    assert!(
        text.contains("| fa | 1.67 | — | 33 % | 67 % | 67 % |"),
        "{text}"
    );
}

fn trial(number: u32, rate: f64, validation: f64, test: f64) -> SearchTrial {
    let settings = json!({ "learning_rate": rate, "beta": 0.9 });
    SearchTrial {
        number,
        epochs: 5,
        hyperparameters: settings.as_object().unwrap().clone(),
        epoch: Some(3),
        validation_error: Some(validation),
        test_error: Some(test),
        diverged_in_epoch: None,
    }
}

fn searched(chosen_on: Split) -> Vec<ReportEntry> {
    let mut trials = vec![trial(1, 0.001, 2.0, 2.4), trial(0, 0.1, 4.0, 3.6)];
    let mut diverged = trial(2, 10.0, 0.0, 0.0);
    diverged.diverged_in_epoch = Some(1);
    trials.push(diverged);
    let search = Arc::new(Search { chosen_on, trials });
    let mut entries = three_seeds();
    for entry in &mut entries {
        entry.search = Some(Arc::clone(&search));
    }
    entries
}

#[test]
fn a_search_is_told_with_its_optimism_and_what_tuning_is_worth() {
    let (folder, text) = written(searched(Split::Validation));
    let row = first_row(&text, "Searches");
    // The validation error of the samples is 2.5. A trial that diverged stands with 4.0 and 3.6:
    // one trial gives (2.4 + 3.6 + 3.6) / 3, two of three (2 · 2.4 + 3.6) / 3.
    assert_eq!(
        row[3..],
        [
            "3, 1 diverged",
            "validation",
            "2.00",
            "+0.50",
            "3.20",
            "2.80",
            "2.40",
            "—",
            "learning\\_rate = 0.001"
        ]
    );
    let rows = read_table(&folder.path().join("table.parquet")).unwrap();
    let search = rows[0].search.as_ref().unwrap();
    assert_eq!((search.trials, search.diverged), (3, 1));
    assert_eq!((search.error, search.optimism), (Some(2.0), Some(0.5)));
    assert!(!text.contains('†'));
    assert!(folder.path().join("trials.parquet").is_file());
    assert!(folder.path().join("tuning.parquet").is_file());
}

#[test]
fn a_choice_on_the_test_set_is_marked_wherever_people_read() {
    let (folder, text) = written(searched(Split::Test));
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    for text in [&text, &html] {
        assert!(
            text.contains("bp †") && text.contains("chosen on the test set"),
            "{text}"
        );
    }
    // The best test epoch is what the paper chooses by: 2.00 from fresh seeds, 2.40 in the search.
    assert_eq!(first_row(&text, "Searches")[5..7], ["2.40", "-0.40"]);
}
