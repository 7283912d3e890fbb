//! Trainings that go on from shorter ones, and trainings that diverge.

use std::fs;

use assay_tests::Sandbox;
use serde_json::Value;

use crate::audit::{file_of, flip, object};

/// A method with inverses, noise and two kinds of passes, in which something could be forgotten.
const DTP: &str =
    r#"method.dtp={algorithm="dtp",hyperparameters={learning_rate=0.01,schedule="alternating"}}"#;

fn stage<'a>(run: &'a Value, name: &str) -> &'a Value {
    let stages = run["stages"].as_array().unwrap();
    stages.iter().find(|stage| stage["name"] == name).unwrap()
}

fn show(sandbox: &Sandbox, hash: &Value) -> Value {
    let hash = hash.as_str().unwrap();
    sandbox.execute(&["show", "--json", hash]).exits(0).json()
}

#[test]
fn more_epochs_continue_and_give_the_bytes_of_one_training() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp", "dtp"]"#, 1);
    let epochs = |epochs: u32| format!("train.epochs={epochs}");
    let augmented = "train.augmentation={crop_padding=1}";
    let run = |store: &str, count: u32| {
        let kept = "train.keep_state_every=2";
        let epochs = epochs(count);
        let settings = [DTP, &epochs, augmented, kept].map(|it| ["--set", it]);
        let settings = settings.concat();
        sandbox.run_json(&[&["--store", store], &settings[..]].concat())
    };
    let straight = run("straight", 5);
    let shorter = run("artifacts", 2);
    run("artifacts", 3);
    let longer = run("artifacts", 5);
    for method in ["bp", "dtp"] {
        let name = format!("train/{method}/seed=1");
        assert_eq!(
            stage(&straight, &name)["artifact"],
            stage(&longer, &name)["artifact"]
        );
        assert_eq!(
            stage(&straight, &name)["action"],
            stage(&longer, &name)["action"]
        );
        let results = &show(&sandbox, &stage(&longer, &name)["action"])["results"];
        let result = &results[0]["result"];
        let times = result["epoch_ms"].as_array().unwrap();
        assert_eq!(
            times.len(),
            5,
            "the times of the shorter training are its own"
        );
        let cost = &result["multiply_adds"];
        assert!(cost.as_u64() > Some(0), "{results}");
        let undivided = &show(&sandbox, &stage(&straight, &name)["action"])["results"];
        assert_eq!(*cost, undivided[0]["result"]["multiply_adds"]);
        let from = &result["continued_from"];
        assert!(from.is_string(), "{results}");
        assert_ne!(
            *from,
            stage(&shorter, &name)["artifact"],
            "the longest is best"
        );
    }
    // Who executes it again starts from nothing.
    let name = "train/dtp/seed=1";
    let action = stage(&longer, name)["action"].as_str().unwrap();
    let audit = sandbox.execute(&["audit", "--rerun", action]).exits(0);
    assert!(audit.stdout.contains("same"), "{}", audit.stdout);
}

#[test]
fn a_damaged_shorter_training_is_not_gone_on_from() {
    let sandbox = Sandbox::new();
    let shorter = sandbox.run_json(&["--only", "train/bp", "--set", "train.epochs=1"]);
    let name = "train/bp/seed=1";
    flip(&file_of(&sandbox, &shorter, name, "final.safetensors"));
    let longer = sandbox.run_json(&["--only", "train/bp", "--set", "train.epochs=3"]);
    let straight = sandbox.run_json(&[
        "--only",
        "train/bp",
        "--set",
        "train.epochs=3",
        "--store",
        "straight",
    ]);
    assert_eq!(
        stage(&longer, name)["artifact"],
        stage(&straight, name)["artifact"]
    );
    let results = &show(&sandbox, &stage(&longer, name)["action"])["results"];
    assert!(
        results[0]["result"]["continued_from"].is_null(),
        "{results}"
    );
}

#[test]
fn a_training_that_diverges_is_a_result() {
    let sandbox = Sandbox::new();
    let diverges = "method.bp.hyperparameters.learning_rate=1e38";
    let run = sandbox.run(&["--set", diverges]).exits(0);
    let row = run
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with("bp"));
    assert!(
        row.is_some_and(|row| row.contains("1 of 1")),
        "{}",
        run.stdout
    );
    let run = sandbox.run_json(&["--set", diverges]);
    assert_eq!(run["reports"][0]["rows"][0]["diverged"], 1);
    let artifact = stage(&run, "train/bp/seed=1")["artifact"].as_str().unwrap();
    let manifest = fs::read(object(&sandbox, artifact)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_object().unwrap();
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["metrics.parquet", "training.json"]);
    let training = fs::read(file_of(&sandbox, &run, "train/bp/seed=1", "training.json")).unwrap();
    let training: Value = serde_json::from_slice(&training).unwrap();
    assert_eq!(training["diverged_in_epoch"], 1);
    let export = sandbox.run(&[
        "--set",
        diverges,
        "--set",
        r#"stage.export={kind="export",training="train"}"#,
        "--only",
        "export/bp",
    ]);
    assert_eq!(export.code, Some(1), "{}", export.stderr);
    assert!(
        export.stderr.contains("diverged in epoch 1"),
        "{}",
        export.stderr
    );
}
