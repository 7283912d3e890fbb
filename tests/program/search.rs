//! Searches: their points, rounds and tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::Duration;

use assay_tests::Sandbox;
use serde_json::Value;

use crate::audit::file_of;

/// The pipeline of the sandbox with a search in place of its trainings.
fn searching(search: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let path = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("[stage.train]").unwrap();
    let (_, after) = rest.split_once("[stage.evaluate]").unwrap();
    let text = format!(
        r#"{before}
[profile.tiny]
set = ["search.trials=2"]

[stage.search]
kind = "search"
dataset = "data"
network = "small"
batch_size = 32
{search}

[stage.evaluate]{}"#,
        after.replace(r#"training = "train""#, r#"training = "search""#)
    );
    fs::write(path, text).unwrap();
    sandbox
}

/// A search of two methods with two rounds.
const HALVING: &str = r#"
epochs = 3
trials = 5
halving = [{ epochs = 1, keep = 2 }]
space.learning_rate = { log_uniform = [1e-3, 1e-1] }
matrix = { method = ["bp", "fa"] }
retrain = { seeds = [11, 12] }
"#;

/// The artifact of each stage by name.
fn artifacts(run: &Value) -> BTreeMap<String, String> {
    let stages = run["stages"].as_array().unwrap().iter();
    let pairs = stages.map(|stage| {
        let text = |field: &str| stage[field].as_str().unwrap_or_default().to_owned();
        (text("name"), text("artifact"))
    });
    pairs.collect()
}

/// The hyper-parameters of the trainings below `name`, by stage.
fn settings(sandbox: &Sandbox, run: &Value, name: &str) -> BTreeMap<String, Value> {
    let stages = run["stages"].as_array().unwrap().iter();
    let trainings = stages.filter(|stage| {
        stage["kind"] == "train" && stage["name"].as_str().unwrap().starts_with(name)
    });
    let settings = trainings.map(|stage| {
        let action = stage["action"].as_str().unwrap();
        let shown = sandbox.execute(&["show", "--json", action]).exits(0).json();
        let parameters = shown["action"]["parameters"].clone();
        (stage["name"].as_str().unwrap().to_owned(), parameters)
    });
    settings.collect()
}

#[test]
fn a_search_ranks_goes_on_and_trains_the_best_again() {
    let sandbox = searching(HALVING);
    let run = sandbox.run_json(&[]);
    let names: BTreeSet<_> = artifacts(&run).into_keys().collect();
    for name in [
        "search/bp/trial=4",
        "search/bp/epochs=1/ranking",
        "search/bp/epochs=3/rank=2",
        "search/fa/ranking",
        "search/fa/seed=12",
        "evaluate/fa/seed=12",
    ] {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
    let trials = settings(&sandbox, &run, "search/bp/trial=");
    let rates: BTreeSet<_> = trials
        .values()
        .map(|it| it["hyperparameters"]["learning_rate"].to_string())
        .collect();
    assert_eq!(rates.len(), 5);
    assert!(trials.values().all(|it| it["epochs"] == 1));

    // The best trial of the last round is what is trained again.
    let ranking = file_of(&sandbox, &run, "search/bp/ranking", "ranking.json");
    let ranking: Value = serde_json::from_slice(&fs::read(ranking).unwrap()).unwrap();
    assert_eq!(ranking["trials"].as_array().unwrap().len(), 2);
    assert_eq!(ranking["left_behind"].as_array().unwrap().len(), 3);
    let errors: Vec<_> = ranking["trials"].as_array().unwrap().iter().collect();
    assert!(errors[0]["validation_error"].as_f64() <= errors[1]["validation_error"].as_f64());
    let again = settings(&sandbox, &run, "search/bp/seed=");
    for (name, parameters) in &again {
        let best = &ranking["trials"][0]["training"];
        assert_eq!(
            parameters["hyperparameters"], best["hyperparameters"],
            "{name}"
        );
        assert_eq!(parameters["epochs"], 3);
        assert!(parameters["seed"] != best["seed"]);
    }

    // Trials that went on cost their further epochs only.
    let stages = run["stages"].as_array().unwrap();
    let promoted = stages
        .iter()
        .find(|it| it["name"] == "search/bp/epochs=3/rank=1");
    let action = promoted.unwrap()["action"].as_str().unwrap();
    let shown = sandbox.execute(&["show", "--json", action]).exits(0).json();
    assert!(shown["results"][0]["result"]["continued_from"].is_string());

    let row = &run["reports"][0]["rows"][0];
    assert_eq!(row["search"]["trials"], 5);
    assert_eq!(row["search"]["chosen_on"], "validation");
    assert_eq!(row["seeds"], 2);
    let error = row["search"]["error"].as_f64().unwrap();
    let again = row["validation_error_validation_epoch"]["mean"]
        .as_f64()
        .unwrap();
    let optimism = row["search"]["optimism"].as_f64().unwrap();
    assert!((again - error - optimism).abs() < 1e-12);

    // Again, nothing runs, and the table is the same.
    let second = sandbox.run(&[]).exits(0);
    assert!(
        second.stdout.contains("0 ran") || !second.stdout.contains(" ran"),
        "{}",
        second.stdout
    );
    assert!(second.stdout.contains("optimism"), "{}", second.stdout);
}

#[test]
fn points_do_not_depend_on_how_many_there_are() {
    let plain = r#"
epochs = 1
trials = 4
space.learning_rate = { log_uniform = [1e-3, 1e-1] }
matrix = { method = ["bp"] }
retrain = { seeds = [11] }
"#;
    let sandbox = searching(plain);
    let few = sandbox.run_json(&["--profile", "tiny", "--only", "search"]);
    let more = sandbox.run_json(&["--only", "search"]);
    for trial in ["search/bp/trial=0", "search/bp/trial=1"] {
        assert_eq!(artifacts(&few)[trial], artifacts(&more)[trial]);
    }
    assert_eq!(artifacts(&few).len(), artifacts(&more).len() - 2);
    let halton = sandbox.run_json(&["--only", "search", "--set", r#"search.points="halton""#]);
    assert_ne!(
        artifacts(&halton)["search/bp/trial=0"],
        artifacts(&more)["search/bp/trial=0"]
    );
    let grid = sandbox.run_json(&[
        "--only",
        "search",
        "--set",
        r#"search.points="grid""#,
        "--set",
        "search.steps=4",
    ]);
    let rates = settings(&sandbox, &grid, "search/bp/trial=");
    let rate = |name: &str| rates[name]["hyperparameters"]["learning_rate"].as_f64();
    assert_eq!(rate("search/bp/trial=0"), Some(1e-3));
    assert_eq!(rate("search/bp/trial=3"), Some(1e-1));
}

#[test]
fn kills_and_jobs_change_no_byte() {
    let sandbox = searching(HALVING);
    let one = sandbox.run_json(&["--store", "one", "--jobs", "1"]);
    let many = sandbox.run_json(&["--store", "many", "--jobs", "8"]);
    assert_eq!(artifacts(&one), artifacts(&many));
    for kill in 0..12 {
        let mut child = sandbox.start(&["--store", "killed", "--jobs", "3"]);
        thread::sleep(Duration::from_millis(150 + 130 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let killed = sandbox.run_json(&["--store", "killed"]);
    assert_eq!(artifacts(&one), artifacts(&killed));
}

#[test]
fn a_search_in_which_everything_diverges_is_a_table() {
    let diverging = r#"
epochs = 2
trials = 3
space.learning_rate = { uniform = [1e37, 1e38] }
matrix = { method = ["bp"] }
retrain = { seeds = [11] }
"#;
    let sandbox = searching(diverging);
    let run = sandbox.run_json(&[]);
    let row = &run["reports"][0]["rows"][0];
    assert_eq!(
        (&row["search"]["diverged"], &row["diverged"]),
        (&3.into(), &1.into())
    );
    assert_eq!(row["search"]["optimism"], Value::Null);
}

#[test]
fn a_configuration_that_was_chosen_on_the_test_set_is_marked() {
    let sandbox = searching(&HALVING.replace("epochs = 3", "epochs = 3\nprotocol = \"paper\""));
    let output = sandbox.path("reports");
    let output = ["--output", output.to_str().unwrap()];
    let run = sandbox.run(&[&["--set", "data.validation=0"], &output[..]].concat());
    let run = run.exits(0);
    assert!(run.stdout.contains("bp †"), "{}", run.stdout);
    let report = sandbox.path("reports/report");
    for file in ["table.md", "report.html"] {
        let text = fs::read_to_string(report.join(file)).unwrap();
        assert!(
            text.contains("bp †") && text.contains("chosen on the test set"),
            "{file}"
        );
    }
    assert!(report.join("trials.parquet").is_file());
}

#[test]
fn searches_that_make_no_sense_are_refused() {
    let sandbox = searching(HALVING);
    for (setting, expected) in [
        ("search.trials=0", "out of range"),
        (
            "search.halving=[{epochs=3,keep=2}]",
            "end before the `epochs`",
        ),
        ("search.halving=[{epochs=1,keep=9}]", "keeps at most"),
        ("search.retrain={seeds=[1]}", "not a fresh one"),
        ("search.space={sigma=[1]}", "no hyper-parameter `sigma`"),
        (
            "search.space={learning_rate={normal=[0,1]}}",
            "a range is a list",
        ),
        (r#"search.space="all""#, "a space is"),
        (r#"search.points="grid""#, "the grid has 3 points"),
        ("data.validation=0", "holds out no samples"),
        (r#"evaluate.training="serach""#, "did you mean `search`"),
    ] {
        let refused = sandbox.run(&["--dry-run", "--set", setting]);
        assert_eq!(refused.code, Some(2), "{setting}: {refused:?}");
        assert!(
            refused.stderr.contains(expected),
            "{setting}: {}",
            refused.stderr
        );
    }
    let refused = sandbox.run(&["--dry-run", "--profile", "tinny"]);
    assert!(
        refused.stderr.contains("did you mean `tiny`"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.code, Some(2));
}
