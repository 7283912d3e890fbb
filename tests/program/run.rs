//! `pipeline run` from end to end: what it prints, what it caches, and that it comes out again.

#![allow(clippy::float_cmp, reason = "the numbers must be the same bits")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assay_report::Quantity;
use assay_tests::{Finished, Sandbox};
use serde_json::Value;

/// Stage name → a field of it, from `run --json`.
fn by_stage(run: &Value, field: &str) -> BTreeMap<String, String> {
    let stages = run["stages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    stages
        .iter()
        .map(|stage| (text(&stage["name"]), text(&stage[field])))
        .collect()
}

/// The names of the stages with this outcome.
fn with_outcome(run: &Value, outcome: &str) -> Vec<String> {
    let outcomes = by_stage(run, "outcome").into_iter();
    outcomes
        .filter(|(_, found)| found == outcome)
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn a_run_prints_a_table_and_names_its_files() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let first = sandbox.run(&[]).exits(0);
    for method in ["bp", "fa", "dfa"] {
        let row = first
            .stdout
            .lines()
            .find(|line| line.trim_start().starts_with(method));
        assert!(
            row.is_some_and(|row| row.trim_end().ends_with(" s")),
            "{}",
            first.stdout
        );
    }
    for name in [
        "report.html",
        "table.csv",
        "table.md",
        "table.parquet",
        "metrics.parquet",
        "times.html",
    ] {
        let path = first
            .stdout
            .lines()
            .find(|line| line.ends_with(name))
            .unwrap()
            .trim();
        assert!(sandbox.path(path).is_file(), "{path}");
    }
    assert!(first.stdout.contains("8 ran"), "{}", first.stdout);
    assert!(
        first.stderr.contains("train/bp/seed=1: started"),
        "{}",
        first.stderr
    );

    // The second run says the same, times included, and runs nothing; what is missing is laid out again.
    let times = sandbox.path("artifacts/reports/small/report/times.html");
    fs::remove_file(&times).unwrap();
    let second = sandbox.run(&[]).exits(0);
    let table = |stdout: &str| stdout.split("\nrun ").next().unwrap().to_owned();
    assert_eq!(table(&first.stdout), table(&second.stdout));
    assert!(second.stdout.contains("8 cached"), "{}", second.stdout);
    assert_eq!(second.stderr, "");
    let times = fs::read_to_string(times).unwrap();
    assert!(times.contains(">ms per step<"), "{times}");
}

#[test]
fn a_row_has_a_time_however_its_numbers_are_written() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let axis = "train.matrix.hyperparameters.epsilon=[1.0, 1e4, 0.5, 2]";
    let table = sandbox.run(&["--set", axis]).exits(0).stdout;
    let rows: Vec<_> = table.lines().filter(|line| line.contains("bp (")).collect();
    assert_eq!(rows.len(), 4, "{table}");
    for row in rows {
        assert!(row.trim_end().ends_with(" s"), "{table}");
    }
}

#[test]
fn two_stores_come_to_identical_artifacts() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let one = sandbox.run_json(&["--store", "one", "--jobs", "1"]);
    // Its algorithms are portable, so threads and vector instructions are no part of an action.
    let arguments = ["run", "pipeline.toml", "--store", "two", "--json"];
    let arguments = [&arguments[..], &["--jobs", "3", "--threads", "2"]].concat();
    let mut two = sandbox.command(&arguments);
    let two = Finished::run(two.env("ASSAY_VECTORS", "avx2"))
        .exits(0)
        .json();
    assert_eq!(with_outcome(&one, "ran").len(), 8);
    assert_eq!(with_outcome(&two, "ran").len(), 8);
    assert_eq!(by_stage(&one, "artifact"), by_stage(&two, "artifact"));
    assert_eq!(by_stage(&one, "action"), by_stage(&two, "action"));
}

#[test]
fn another_seed_gives_another_training() {
    let sandbox = Sandbox::new();
    let one = sandbox.run_json(&["--only", "train/bp"]);
    let two = sandbox.run_json(&["--only", "train/bp", "--set", "train.matrix.seed=[2]"]);
    let weights = |run: &Value, name: &str| by_stage(run, "artifact")[name].clone();
    assert_ne!(
        weights(&one, "train/bp/seed=1"),
        weights(&two, "train/bp/seed=2")
    );
}

#[test]
fn only_what_depends_on_a_change_runs_again() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    sandbox.run_json(&[]);
    let change = ["--set", "method.fa.hyperparameters.learning_rate=0.02"];

    let preview = sandbox
        .run(&[&change[..], &["--dry-run"]].concat())
        .exits(0);
    assert!(
        preview
            .stdout
            .contains("parameters.hyperparameters.learning_rate: 0.01 → 0.02"),
        "{}",
        preview.stdout
    );
    assert!(
        preview.stdout.contains("5 cached, 3 to run"),
        "{}",
        preview.stdout
    );

    let changed = sandbox.run_json(&change);
    assert_eq!(
        with_outcome(&changed, "ran"),
        ["evaluate/fa/seed=1", "report", "train/fa/seed=1"]
    );
}

#[test]
fn what_is_computed_again_to_the_same_bytes_stops_there() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    sandbox.run_json(&[]);
    // Other top-k errors change the evaluation; measuring top-1 in another way does not.
    let same = sandbox.run_json(&["--set", "evaluate.top_k=[2]"]);
    let ran = [
        "evaluate/bp/seed=1",
        "evaluate/dfa/seed=1",
        "evaluate/fa/seed=1",
    ];
    assert_eq!(with_outcome(&same, "ran"), ran);
    assert_eq!(by_stage(&same, "outcome")["report"], "cached");
}

#[test]
fn only_selects_stages_and_what_they_need() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let run = sandbox.run_json(&["--only", "evaluate/dfa"]);
    let names: Vec<_> = by_stage(&run, "outcome").into_keys().collect();
    assert_eq!(names, ["data", "evaluate/dfa/seed=1", "train/dfa/seed=1"]);

    let unknown = sandbox.run(&["--only", "trian"]).exits(2);
    assert!(
        unknown.stderr.contains("there is no stage `trian`"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_dry_run_runs_nothing_and_says_what_depends_on_what() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let preview = sandbox.run(&["--dry-run"]).exits(0);
    assert!(
        preview
            .stdout
            .contains("runs: no dataset has run in this store")
    );
    assert!(
        preview.stdout.contains("0 cached, 8 to run"),
        "{}",
        preview.stdout
    );
    let json = sandbox.run(&["--dry-run", "--json"]).exits(0).json();
    assert_eq!(json["stages"][1]["reason"], "depends-on");
    assert_eq!(json["stages"][1]["details"]["stages"][0], "data");
    assert!(!sandbox.path("artifacts/reports").exists());
}

#[test]
fn a_changed_source_file_is_another_dataset() {
    let sandbox = Sandbox::new();
    sandbox.run_json(&["--only", "train/bp"]);
    let labels = sandbox.path("data/train-labels-idx1-ubyte");
    let mut bytes = fs::read(&labels).unwrap();
    bytes[8] = (bytes[8] + 1) % 4;
    fs::write(&labels, bytes).unwrap();
    let run = sandbox.run_json(&["--only", "train/bp"]);
    assert_eq!(with_outcome(&run, "ran"), ["data", "train/bp/seed=1"]);
}

/// The artifact of each stage of `train/bp` under these settings.
fn artifacts(settings: &[&str]) -> BTreeMap<String, String> {
    let sandbox = Sandbox::new();
    let settings = settings.iter().flat_map(|&setting| ["--set", setting]);
    let arguments: Vec<_> = ["--only", "train/bp"].into_iter().chain(settings).collect();
    by_stage(&sandbox.run_json(&arguments), "artifact")
}

#[test]
fn augmentation_changes_a_training_the_same_way_in_every_store() {
    const TRAINING: &str = "train/bp/seed=1";
    let plain = artifacts(&[]);
    assert_eq!(artifacts(&["train.augmentation={}"]), plain);
    let both = r#"train.augmentation={ crop_padding = 2, flip = "vertical" }"#;
    let augmented = artifacts(&[both]);
    assert_eq!(augmented, artifacts(&[both]));
    assert_eq!(augmented["data"], plain["data"]);
    assert_ne!(augmented[TRAINING], plain[TRAINING]);
    let crop = artifacts(&["train.augmentation.crop_padding=2"]);
    assert_ne!(crop[TRAINING], augmented[TRAINING]);
}

#[test]
fn a_standardised_dataset_is_trained_on_and_evaluated() {
    let sandbox = Sandbox::new();
    let run = sandbox.run_json(&[
        "--set",
        "data.scaling=\"standardised\"",
        "--set",
        "train.epochs=6",
    ]);
    let row = &run["reports"][0]["rows"][0];
    let error = row["test_error_last_epoch"]["mean"].as_f64().unwrap();
    assert!(error < 10.0, "{row}");

    let store = assay_store::Store::open_existing(sandbox.path("artifacts")).unwrap();
    let artifact = by_stage(&run, "artifact")["data"].parse().unwrap();
    let path = store.artifact_file_path(artifact, "dataset.json").unwrap();
    let description: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(description["scaling"], "standardised");
}

#[test]
fn the_three_numbers_agree_with_the_metrics_they_come_from() {
    let sandbox = Sandbox::new();
    let run = sandbox.run_json(&["--set", "train.epochs=6"]);
    let folder = report_folder(&run);
    let rows = assay_report::read_table(&folder.join("table.parquet")).unwrap();
    let trainings = run["reports"][0]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), trainings.len());
    let store = assay_store::Store::open_existing(sandbox.path("artifacts")).unwrap();
    for row in rows {
        let name = format!("train/{}/seed=1", row.label.method);
        let artifact = by_stage(&run, "artifact")[&name].parse().unwrap();
        let metrics = store
            .artifact_file_path(artifact, "metrics.parquet")
            .unwrap();
        let metrics = assay_report::read_metrics(&metrics).unwrap();
        let errors = |split: &str| -> Vec<f64> {
            let of = |row: &&assay_report::MetricRow| {
                row.metric == "error" && row.split.as_str() == split
            };
            metrics.iter().filter(of).map(|row| row.value).collect()
        };
        let (validation, test) = (errors("validation"), errors("test"));
        assert_eq!((validation.len(), test.len()), (6, 6));
        let lowest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        let chosen = validation
            .iter()
            .position(|&error| error == lowest(&validation))
            .unwrap();
        let number = |quantity| row.get(quantity).unwrap().mean;
        assert_eq!(
            number(Quantity::TestErrorBestEpoch),
            lowest(&test),
            "{name}"
        );
        // The evaluation restored these states in another process: predict must agree exactly.
        assert_eq!(number(Quantity::TestErrorLastEpoch), test[5], "{name}");
        assert_eq!(
            number(Quantity::TestErrorValidationEpoch),
            test[chosen],
            "{name}"
        );
        assert!(
            lowest(&test) < 10.0,
            "{name} should learn this dataset: {test:?}"
        );
    }
}

#[test]
fn several_seeds_become_one_row_with_a_spread() {
    let sandbox = Sandbox::new();
    let run = sandbox.run_json(&[
        "--set",
        "train.matrix.seed=[1,2,3]",
        "--set",
        "train.matrix.method=[\"bp\"]",
    ]);
    let row = &run["reports"][0]["rows"][0];
    assert_eq!(row["seeds"], 3);
    assert!(row["test_error_best_epoch"]["sd"].is_number(), "{row}");
}

#[test]
fn published_figures_stand_beside_ours_and_their_file_may_move() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let figures = "name = \"A. Paper\"\nprotocol = \"Long ago.\"\n[figures.small]\n\
                   bp = { test_error = 1.25 }\n";
    fs::write(sandbox.path("paper.toml"), figures).unwrap();
    let shown = sandbox
        .run(&["--set", "report.reference=\"paper.toml\""])
        .exits(0);
    assert!(
        shown.stdout.contains("paper   difference"),
        "{}",
        shown.stdout
    );

    fs::rename(sandbox.path("paper.toml"), sandbox.path("other.toml")).unwrap();
    let run = ["--set", "report.reference=\"other.toml\"", "--json"];
    let run = sandbox.run(&run).exits(0).json();
    assert_eq!(by_stage(&run, "outcome")["report"], "cached");
    let rows = run["reports"][0]["rows"].as_array().unwrap();
    assert_eq!(rows[0]["method"], "bp");
    assert_eq!(rows[0]["published"]["test_error"], 1.25);
    assert!(rows[1]["published"].is_null());
}

#[test]
fn a_matrix_over_a_hyperparameter_gives_a_row_for_each_value() {
    let sandbox = Sandbox::new();
    let run = sandbox.run_json(&[
        "--set",
        "train.matrix.method=[\"bp\"]",
        "--set",
        "train.matrix.hyperparameters.learning_rate=[0.001, 0.01]",
    ]);
    let names: Vec<_> = by_stage(&run, "outcome").into_keys().collect();
    assert!(
        names.contains(&"train/bp/seed=1/learning_rate=0.001".to_owned()),
        "{names:?}"
    );
    assert_eq!(run["reports"][0]["rows"].as_array().unwrap().len(), 2);
}

#[test]
fn a_learner_that_alternates_sees_every_epoch_twice() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["dtp"]"#, 12);
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    let method = r#"
[method.dtp]
algorithm = "dtp"
hyperparameters = { learning_rate = 0.01, alpha = 0.5, schedule = "alternating" }
"#;
    fs::write(&file, text + method).unwrap();
    let run = sandbox.run_json(&[]);
    let store = assay_store::Store::open_existing(sandbox.path("artifacts")).unwrap();
    let artifacts = by_stage(&run, "artifact");
    let artifact = artifacts["train/dtp/seed=1"].parse().unwrap();
    let metrics = store
        .artifact_file_path(artifact, "metrics.parquet")
        .unwrap();
    let metrics = assay_report::read_metrics(&metrics).unwrap();
    let values = |name: &str| -> Vec<f64> {
        let of = metrics.iter().filter(|row| row.metric == name);
        of.map(|row| row.value).collect()
    };
    let (inverse, batch) = (values("inverse_loss"), values("batch_loss"));
    assert_eq!((inverse.len(), batch.len()), (12, 12));
    assert!(inverse[11] < inverse[0], "{inverse:?}");
    assert!(batch[11] < 0.5 * batch[0], "{batch:?}");
}

#[test]
fn every_pipeline_of_the_repository_can_be_planned() {
    let sandbox = Sandbox::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines");
    // ImageNet is the user's own: a plan looks at its files, not into them.
    for split in ["train", "val"] {
        let synset = sandbox.path("imagenet").join(split).join("n01440764");
        fs::create_dir_all(&synset).unwrap();
        fs::write(synset.join("0.JPEG"), "an image").unwrap();
    }
    let data = sandbox.path("");
    let mut planned = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let is_toml = path.extension().is_some_and(|it| it == "toml");
        // Networks alone, for pipelines to name.
        if is_toml && !path.ends_with("networks.toml") {
            let data = ["--data-dir", data.to_str().unwrap()];
            let run = ["run", path.to_str().unwrap(), "--dry-run"];
            let preview = sandbox.execute(&[&run[..], &data].concat());
            assert!(
                preview.exits(0).stdout.contains("0 cached"),
                "{}",
                path.display()
            );
            planned += 1;
        }
    }
    assert_eq!(planned, 7, "the pipelines were not found");
}

/// A figure whose network or method is spelt as no pipeline spells it would never be shown.
#[test]
fn every_published_figure_has_its_network_and_method_in_a_pipeline() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines"));
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let reference: toml::Table = read("reference/bartunov2018.toml").parse().unwrap();
    let pipelines = ["mnist.toml", "cifar10.toml", "imagenet.toml"].map(read);
    let mut figures = 0;
    for (network, methods) in reference["figures"].as_table().unwrap() {
        for method in methods.as_table().unwrap().keys() {
            let asks = |text: &String| {
                let network = text.contains(&format!("\"{network}\""));
                network && text.contains(&format!("[method.{method}]"))
            };
            assert!(pipelines.iter().any(asks), "{network} {method}");
            figures += 1;
        }
    }
    assert_eq!(figures, 44);
}

/// Where a run laid out its first report.
fn report_folder(run: &Value) -> PathBuf {
    let file = run["reports"][0]["files"][0].as_str().unwrap();
    Path::new(file).parent().unwrap().to_owned()
}

#[test]
fn other_values_do_not_replace_the_reports_of_the_file() {
    let sandbox = Sandbox::new();
    let plain = report_folder(&sandbox.run_json(&[]));
    assert!(plain.ends_with("reports/small/report"), "{plain:?}");
    let table = fs::read(plain.join("table.md")).unwrap();
    let longer = report_folder(&sandbox.run_json(&["--set", "train.epochs=3"]));
    let longest = report_folder(&sandbox.run_json(&["--set", "train.epochs=4"]));
    assert_ne!(longer, longest);
    assert!(
        longer.starts_with(sandbox.path("artifacts/reports")),
        "{longer:?}"
    );
    assert!(fs::read(plain.join("table.md")).unwrap() == table);
    assert!(fs::read(longer.join("table.md")).unwrap() != table);
}
