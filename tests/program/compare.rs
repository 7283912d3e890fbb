//! `pipeline compare`: rows of reports, by seed.

use std::fs;

use assay_tests::Sandbox;
use serde_json::{Value, json};

/// A sandbox with a pipeline of these methods, from so many seeds, and of epochs enough for none of them
/// to end as one that diverged.
fn sandbox(methods: &str, seeds: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.pipeline(methods, 4);
    let seeds: Vec<_> = (1..=seeds).collect();
    let path = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("seed = [1]", &format!("seed = {seeds:?}")),
    )
    .unwrap();
    sandbox
}

fn compare(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let arguments = [&["compare"], arguments, &["--json"]].concat();
    sandbox.execute(&arguments).exits(0).json()
}

/// The mean of a method in the report's table.
fn mean(sandbox: &Sandbox, method: &str, quantity: &str) -> f64 {
    let table = sandbox
        .execute(&["cat", "small:report:table.csv"])
        .exits(0)
        .stdout;
    let mut lines = table
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|it| *it == name).unwrap();
    let mut rows = lines.filter(|row| row[column("method")] == method);
    let mut row = rows.next().unwrap();
    // The commas within the hyper-parameters come before the numbers.
    row.drain(..row.len() - header.len());
    row[column(&format!("{quantity}_mean"))].parse().unwrap()
}

#[test]
fn rows_of_one_report_are_compared_in_pairs_of_seeds() {
    let sandbox = sandbox(r#"["bp", "fa", "dfa"]"#, 6);
    sandbox.run_json(&[]);
    let view = compare(&sandbox, &["small"]);
    assert_eq!(view["metric"], "test_error_validation_epoch");
    assert_eq!(view["chosen_on_test"], false);
    let comparisons = view["comparisons"].as_array().unwrap();
    let rows = comparisons
        .iter()
        .map(|it| [&it["first"]["method"], &it["second"]["method"]]);
    let rows: Vec<_> = rows.map(|row| row.map(|it| it.as_str().unwrap())).collect();
    assert_eq!(rows, [["fa", "bp"], ["dfa", "bp"]]);
    for (comparison, method) in comparisons.iter().zip(["fa", "dfa"]) {
        assert_eq!(comparison["samples"], "paired", "{comparison:#}");
        assert_eq!(comparison["pairs"], 6);
        assert_eq!(comparison["first"]["missing"], 0);
        let quantity = "test_error_validation_epoch";
        let expected = mean(&sandbox, method, quantity) - mean(&sandbox, "bp", quantity);
        let difference = comparison["difference"].as_f64().unwrap();
        assert!(
            (difference - expected).abs() < 1e-9,
            "{difference}, {expected}"
        );
        let interval = &comparison["interval"];
        assert!(interval["low"].as_f64().unwrap() <= difference);
        assert!(interval["high"].as_f64().unwrap() >= difference);
        // New images add to what new seeds do, but the bootstrap of few seeds is narrower.
        let too = &comparison["interval_new_images"];
        assert!(too["low"].as_f64().unwrap() <= difference, "{too}");
        assert!(too["high"].as_f64().unwrap() >= difference, "{too}");
        assert_ne!(too["low"], too["high"]);
        // 6 pairs have 2⁶ patterns of signs, and with each pattern its opposite.
        let p_value = comparison["test"]["p_value"].as_f64().unwrap();
        assert!((p_value * 32.0).fract().abs() < 1e-9, "{p_value}");
    }

    let last = compare(
        &sandbox,
        &[
            "small:report",
            "--row",
            "fa",
            "--metric",
            "test_error_last_epoch",
        ],
    );
    let comparisons = last["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), 1);
    let expected = mean(&sandbox, "fa", "test_error_last_epoch")
        - mean(&sandbox, "bp", "test_error_last_epoch");
    let difference = comparisons[0]["difference"].as_f64().unwrap();
    assert!((difference - expected).abs() < 1e-9);
    assert!(comparisons[0]["interval_new_images"]["low"].is_f64());

    let swapped = compare(&sandbox, &["small", "--row", "bp", "--against", "fa"]);
    let swapped = swapped["comparisons"][0]["difference"].as_f64().unwrap();
    assert!((swapped + view["comparisons"][0]["difference"].as_f64().unwrap()).abs() < 1e-9);

    let best = compare(&sandbox, &["latest", "--metric", "test_error_best_epoch"]);
    assert_eq!(best["chosen_on_test"], true);
    // The state of the best test epoch is not kept, nor are its predictions.
    assert_eq!(best["comparisons"][0]["interval_new_images"], json!(null));
    let words = sandbox.execute(&["compare", "small", "--metric", "test_error_best_epoch"]);
    let words = words.exits(0).stdout;
    assert!(words.contains("chosen on the test set"), "{words}");
    assert!(words.contains("fa") && words.contains("Holm"), "{words}");
}

#[test]
fn one_seed_proves_nothing_and_the_answer_says_how_many_would() {
    let sandbox = sandbox(r#"["bp", "fa"]"#, 1);
    sandbox.run_json(&[]);
    let view = compare(&sandbox, &["small"]);
    let comparison = &view["comparisons"][0];
    assert_eq!(comparison["verdict"], "not-significant");
    assert_eq!(comparison["interval"], json!(null));
    assert_eq!(comparison["p_adjusted"], 1.0);
    let words = sandbox.execute(&["compare", "small"]).exits(0).stdout;
    let advice = "With 1 common seed nothing can be: 1 comparison needs 6 or more";
    assert!(words.contains(advice), "{words}");
}

#[test]
fn the_same_rows_of_two_runs_are_compared() {
    let sandbox = sandbox(r#"["bp", "fa"]"#, 3);
    let run = |arguments: &[&str]| {
        let report = sandbox.run_json(arguments);
        report["run"].as_str().unwrap().to_owned()
    };
    let first = run(&[]);
    let second = run(&["--set", "method.bp.hyperparameters.learning_rate=0.001"]);
    let view = compare(&sandbox, &[&first, &second]);
    let comparisons = view["comparisons"].as_array().unwrap();
    let differences = comparisons
        .iter()
        .map(|it| it["difference"].as_f64().unwrap());
    let differences: Vec<_> = differences.collect();
    assert_eq!(differences.len(), 2);
    let of = |method: &str| {
        let at = comparisons
            .iter()
            .position(|it| it["first"]["method"] == method);
        differences[at.unwrap()]
    };
    // What `fa` did is the same in both.
    assert!(of("fa").abs() < 1e-9);
    assert!(of("bp") < 0.0, "{comparisons:#?}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let sandbox = sandbox(r#"["bp", "fa"]"#, 1);
    sandbox.run_json(&[]);
    for (arguments, complaint) in [
        (
            &["small", "--row", "dtp"][..],
            "has no row `dtp`; it has `bp`, `fa`",
        ),
        (&["small", "--against", "dtp"], "has no row `dtp`"),
        (
            &["small", "--metric", "accuracy"],
            "there is no metric `accuracy`",
        ),
        (&["small:data"], "has no file `table.parquet`"),
        (
            &["small", "small", "--against", "bp"],
            "`--against` is for the rows of one run",
        ),
        (&["small", "--row", "bp"], "no two rows"),
        (&["nothing"], "nothing"),
    ] {
        let arguments = [&["compare"], arguments].concat();
        let finished = sandbox.execute(&arguments).exits(2);
        assert!(
            finished.stderr.contains(complaint),
            "{arguments:?}: {finished:#?}"
        );
    }
}
