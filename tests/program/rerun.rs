//! Executing recorded actions again: what is deterministic comes out the same, what is not is told
//! to the last difference, and what cannot be executed here is counted apart.

use std::fs;
use std::path::Path;

use assay_core::{Action, ActionKey, ActionResult};
use assay_store::Store;
use assay_tests::{CLASSES, Finished, Sandbox, libraries};
use serde_json::Value;

/// Runs `pipeline audit`; with `--rerun` it executes recorded actions again.
fn rerun(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    sandbox.execute(&[&["audit"], arguments].concat())
}

/// As [`rerun`], with the dataset at hand and everything as one document.
fn rerun_json(sandbox: &Sandbox, arguments: &[&str], code: i32) -> Value {
    let common = ["--rerun", "--json", "--data-dir", "data"];
    rerun(sandbox, &[arguments, &common].concat())
        .exits(code)
        .json()
}

/// The outcome of each action by the name of its stage.
fn outcomes(report: &Value) -> Vec<(String, String)> {
    let actions = report["actions"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    actions
        .map(|action| (text(&action["name"]), text(&action["outcome"])))
        .collect()
}

fn store(sandbox: &Sandbox) -> Store {
    Store::open_existing(sandbox.path("artifacts")).unwrap()
}

fn results(sandbox: &Sandbox, action: &Value) -> Vec<ActionResult> {
    let key: ActionKey = action.as_str().unwrap().parse().unwrap();
    store(sandbox).results(key).unwrap()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// A pipeline with a training that never comes out the same twice.
fn unrepeatable() -> Sandbox {
    let sandbox = Sandbox::new();
    let library = libraries().join("libhostile.so");
    fs::copy(library, sandbox.path("libhostile.so")).unwrap();
    let text = format!(
        r#"name = "clock"

[network.small]
input = [1, 8, 8]
layers = ["fc 16", "softmax {CLASSES}"]

[method.clock]
plugin = "./libhostile.so"
algorithm = "read-clock"

[stage.data]
kind = "dataset"
source = "idx"
path = "data"
classes = {CLASSES}
validation = 100

[stage.train]
kind = "train"
dataset = "data"
network = "small"
epochs = 3
batch_size = 100
matrix = {{ method = ["clock"], seed = [1] }}
"#
    );
    fs::write(sandbox.path("pipeline.toml"), text).unwrap();
    sandbox
}

#[test]
fn all_kinds_of_stages_come_out_again_and_both_results_are_kept() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 2);
    let run = sandbox.run_json(&[]);
    let report = rerun_json(&sandbox, &["small"], 0);
    let names = ["data", "train/bp/seed=1", "evaluate/bp/seed=1", "report"];
    let expected = names.map(|name| (name.to_owned(), "same".to_owned()));
    assert_eq!(outcomes(&report), expected);
    for action in report["actions"].as_array().unwrap() {
        let results = results(&sandbox, &action["action"]);
        assert_eq!(results.len(), 2, "{action:#}");
        assert_eq!(results[0].artifact, results[1].artifact);
    }
    assert!(is_empty(&sandbox.path("artifacts/scratch")));
    // The first result is still the one that counts.
    let again = sandbox.run_json(&[]);
    assert_eq!(run["stages"][1]["artifact"], again["stages"][1]["artifact"]);
    let words = rerun(&sandbox, &["small:report", "--rerun"]).exits(0);
    assert!(words.stdout.contains("same     report"), "{words:#?}");
    assert!(words.stdout.contains("1 the same"), "{words:#?}");
}

/// The files of an artifact, by name.
fn files(sandbox: &Sandbox, artifact: &Value) -> Vec<String> {
    let artifact = artifact.as_str().unwrap().parse().unwrap();
    let files = store(sandbox).artifact(artifact).unwrap().files;
    files.into_keys().collect()
}

#[test]
fn a_training_is_executed_again_from_one_kept_state_to_the_next() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp", "fa", "dfa"]"#, 9);
    // Large steps, so that the best epoch is any.
    let large = "train.hyperparameters.learning_rate=0.05";
    let run = sandbox.run_json(&["--set", "train.keep_state_every=4", "--set", large]);
    let training = &run["stages"][1];
    let mut files = files(&sandbox, &training["artifact"]);
    files.retain(|name| name.starts_with("state-"));
    assert_eq!(
        files,
        ["state-0000004.safetensors", "state-0000008.safetensors"]
    );

    let report = rerun_json(&sandbox, &["small", "--by-epochs"], 0);
    let outcomes = outcomes(&report);
    for method in ["bp", "fa", "dfa"] {
        for part in ["epochs 1 to 4", "epochs 5 to 8", "epoch 9"] {
            let expected = (format!("train/{method}/seed=1, {part}"), "same".to_owned());
            assert!(outcomes.contains(&expected), "{outcomes:?}");
        }
    }
    assert_eq!(outcomes.len(), 1 + 3 * 3 + 3 + 1);
    assert_eq!(report["actions"][2]["epochs"], serde_json::json!([5, 8]));
    // A part is no result of the action.
    assert_eq!(results(&sandbox, &training["action"]).len(), 1);
    assert!(is_empty(&sandbox.path("artifacts/scratch")));

    let sampled = [
        "audit",
        "small",
        "--rerun=10%",
        "--by-epochs",
        "--seed",
        "3",
    ];
    let words = sandbox.execute(&[&sampled[..], &["--data-dir", "data"]].concat());
    let words = words.exits(0).stdout;
    let from = "a sample of 14 actions and parts of trainings, drawn from seed 3";
    assert!(words.contains("2 the same"), "{words}");
    assert!(words.contains(from), "{words}");
}

#[test]
fn a_difference_is_told_of_the_epochs_that_it_is_in() {
    let sandbox = unrepeatable();
    let run = sandbox.run_json(&["--set", "train.keep_state_every=1"]);
    // The clock is read from the second epoch on.
    let report = rerun_json(&sandbox, &["clock:train/clock/seed=1", "--by-epochs"], 1);
    let expected = [
        ("epoch 1", "same"),
        ("epoch 2", "differs"),
        ("epoch 3", "differs"),
    ];
    let expected = expected.map(|(part, outcome)| {
        let name = format!("train/clock/seed=1, {part}");
        (name, outcome.to_owned())
    });
    assert_eq!(outcomes(&report), expected);
    let second = &report["actions"][1];
    assert_eq!(second["recorded_artifact"], run["stages"][1]["artifact"]);
    let differences = second["differences"].as_array().unwrap().iter();
    let files: Vec<_> = differences.map(|it| &it["file"]).collect();
    assert_eq!(files, ["final.safetensors", "metrics.parquet"]);
    let table = &second["differences"][1]["inside"]["columns"][0];
    assert_eq!(
        (&table["rows"], &table["first_epoch"]),
        (&1.into(), &2.into())
    );
    // Both sides of it can be looked at.
    for side in ["expected_artifact", "artifact"] {
        let shown = sandbox.execute(&["show", second[side].as_str().unwrap()]);
        let shown = shown.exits(0).stdout;
        assert!(shown.contains("final.safetensors"), "{shown}");
    }
}

#[test]
fn a_bundle_is_executed_again_in_a_store_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let _ = sandbox.run_json(&[]);
    let _ = sandbox
        .execute(&["bundle", "latest", "-o", "bundle"])
        .exits(0);
    fs::rename(sandbox.path("artifacts"), sandbox.path("elsewhere")).unwrap();
    let report = rerun_json(&sandbox, &["--against", "bundle"], 0);
    let names = ["data", "train/bp/seed=1", "evaluate/bp/seed=1", "report"];
    let expected = names.map(|name| (name.to_owned(), "same".to_owned()));
    assert_eq!(outcomes(&report), expected);
    assert!(report["store"].is_null(), "{report:#}");
    assert!(!sandbox.path("artifacts").exists());

    // Without the dataset's files all the rest can be executed.
    fs::rename(sandbox.path("data"), sandbox.path("gone")).unwrap();
    let words = rerun(&sandbox, &["--against", "bundle"]).exits(2).stdout;
    for part in [
        "cannot   data",
        "same     report",
        "3 the same, 1 cannot be executed again here",
    ] {
        assert!(words.contains(part), "no {part:?} in:\n{words}");
    }

    let bytes = fs::read(sandbox.path("bundle")).unwrap();
    fs::write(sandbox.path("half"), &bytes[..bytes.len() / 2]).unwrap();
    let refused = rerun(&sandbox, &["--against", "half"]).exits(1).stderr;
    assert!(refused.contains("the bundle"), "{refused}");
    let absent = rerun(&sandbox, &["--against", "absent"]).exits(2).stderr;
    assert!(absent.contains("cannot open the bundle"), "{absent}");
}

#[test]
fn a_bundle_that_does_not_come_out_again_leaves_both_results() {
    let sandbox = unrepeatable();
    let run = sandbox.run_json(&[]);
    let training = &run["stages"][1];
    let _ = sandbox
        .execute(&["bundle", "latest", "-o", "bundle"])
        .exits(0);
    let report = rerun_json(&sandbox, &["--against", "bundle"], 1);
    let action = &report["actions"][1];
    assert_eq!(action["outcome"], "differs");
    assert_eq!(results(&sandbox, &training["action"]).len(), 1);
    let kept = Path::new(report["store"].as_str().unwrap());
    let key: ActionKey = training["action"].as_str().unwrap().parse().unwrap();
    let both = Store::open_existing(kept).unwrap().results(key).unwrap();
    fs::remove_dir_all(kept).unwrap();
    let both: Vec<_> = both.iter().map(|it| it.artifact.to_string()).collect();
    assert_eq!(both.len(), 2);
    assert!(both.contains(&training["artifact"].as_str().unwrap().to_owned()));
    assert!(both.contains(&action["artifact"].as_str().unwrap().to_owned()));
}

#[test]
fn every_difference_of_what_is_not_deterministic_is_told() {
    let sandbox = unrepeatable();
    let run = sandbox.run_json(&[]);
    let training = &run["stages"][1];
    let report = rerun_json(&sandbox, &["clock:train/clock/seed=1"], 1);
    let action = &report["actions"][0];
    assert_eq!(action["outcome"], "differs");
    assert_eq!(action["recorded_artifact"], training["artifact"]);
    assert_ne!(action["artifact"], training["artifact"]);
    let differences = action["differences"].as_array().unwrap();
    let files: Vec<_> = differences
        .iter()
        .map(|it| it["file"].as_str().unwrap())
        .collect();
    // All epochs are equally bad, so the best is the first, before the clock is read.
    assert_eq!(files, ["final.safetensors", "metrics.parquet"]);

    let tensors = &differences[0]["inside"];
    assert_eq!(tensors["form"], "tensors");
    let clock = &tensors["differing"][0];
    assert_eq!(clock["tensor"], "clock");
    assert_eq!(
        (&clock["elements"], &clock["differing"]),
        (&3.into(), &1.into())
    );
    assert_eq!(clock["first"][0], 1);
    assert!(clock["largest"]["absolute"].as_f64().unwrap() > 0.0);
    assert!(clock["largest_ulps"].as_u64().unwrap() > 0);

    let table = &differences[1]["inside"];
    assert_eq!(table["form"], "table");
    let columns = table["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 1);
    assert_eq!(columns[0]["column"], "value");
    assert_eq!(columns[0]["rows"], 2, "of the epochs 2 and 3");
    assert_eq!(columns[0]["first_epoch"], 2);
    assert_eq!(columns[0]["first_key"]["metric"], "batch_loss");
    assert!(columns[0]["largest_absolute"].as_f64().unwrap() > 0.0);

    let results = results(&sandbox, &action["action"]);
    assert_eq!(results.len(), 2);
    for (result, told) in results
        .iter()
        .zip([&training["artifact"], &action["artifact"]])
    {
        assert_eq!(result.artifact.to_string(), told.as_str().unwrap());
        assert!(store(&sandbox).is_intact(result.artifact).unwrap());
    }
    // A plugin that nobody vouches for may be kept from running here too.
    let name = "clock:train/clock/seed=1";
    let refused = rerun_json(&sandbox, &[name, "--trusted-only"], 2);
    let reason = &refused["actions"][0]["reason"];
    assert_eq!(reason, "needs a plugin that may not run");

    // The run goes on with what it had.
    let again = sandbox.run_json(&[]);
    assert_eq!(again["stages"][1]["outcome"], "cached");
    assert_eq!(again["stages"][1]["artifact"], training["artifact"]);

    let words = rerun(&sandbox, &["clock:train/clock/seed=1", "--rerun"]).exits(1);
    for part in [
        "differs  train/clock/seed=1",
        "clock: 1 of 3 differ; by ",
        "column `value`: 2 of ",
        "from epoch 2 on",
        "Both results of what differs are kept",
    ] {
        assert!(words.stdout.contains(part), "{part}: {words:#?}");
    }
}

#[test]
fn what_cannot_be_executed_here_is_counted_apart() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    sandbox.run_json(&[]);
    // The dataset stage says where it looked, and what to do.
    let words = rerun(&sandbox, &["small:data", "--rerun"]).exits(2);
    assert!(words.stdout.contains("cannot   data"), "{words:#?}");
    assert!(words.stdout.contains("help: name the folder"), "{words:#?}");

    // An action of another machine and another version.
    let store = store(&sandbox);
    let run = store.runs().unwrap()[0].1;
    let stages = store.run(run).unwrap().stages;
    let training = stages
        .iter()
        .find(|it| it.name.starts_with("train"))
        .unwrap();
    let result = store.results(training.action.unwrap()).unwrap().remove(0);
    let mut action: Action = store.action(result.action).unwrap();
    action.environment.as_mut().unwrap().cpu_capability = Some("avx1024".to_owned());
    let key = store.put_action(&action).unwrap();
    let elsewhere = ActionResult {
        action: key,
        ..result
    };
    store.commit_result(&elsewhere).unwrap();
    let name = key.to_string();
    let report = rerun_json(&sandbox, &[&name], 2);
    let cannot = &report["actions"][0];
    assert_eq!(cannot["outcome"], "cannot");
    let reason = cannot["reason"].as_str().unwrap();
    assert!(
        reason.contains("environment.cpu_capability is `avx1024`, and here it is `"),
        "{reason}"
    );
    // It is compared if the user insists, and is no result of an action that it was not.
    let report = rerun_json(&sandbox, &[&name, "--anyway"], 0);
    assert_eq!(report["actions"][0]["recorded"], false);
    assert_eq!(store.results(key).unwrap().len(), 1);

    // A library that is gone.
    let library = action.plugin.unwrap();
    fs::remove_file(store.object_path(library.hash.into())).unwrap();
    let report = rerun_json(&sandbox, &["small:train/bp/seed=1"], 2);
    let reason = report["actions"][0]["reason"].as_str().unwrap();
    assert_eq!(reason, "needs the library of its plugin `bp`");
}

#[test]
fn a_seed_draws_the_same_sample_again() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp", "fa"]"#, 1);
    sandbox.run_json(&[]);
    let drawn = |sample: &str, seed: &str| {
        let arguments = [
            "small",
            sample,
            "--seed",
            seed,
            "--json",
            "--data-dir",
            "data",
        ];
        let report = rerun(&sandbox, &arguments).exits(0).json();
        assert_eq!(report["drawn_from"], 6);
        outcomes(&report)
    };
    let first = drawn("--rerun=2", "7");
    assert_eq!(first.len(), 2);
    assert_eq!(drawn("--rerun=30%", "7"), first);
    let refused = rerun(&sandbox, &["small", "--rerun=none"]).exits(2);
    assert!(
        refused.stderr.contains("a percentage such as 10%"),
        "{refused:#?}"
    );
    let nothing = rerun(&sandbox, &["feedfacecafe", "--rerun"]).exits(2);
    assert!(
        nothing.stderr.contains("nothing in the store is called"),
        "{nothing:#?}"
    );
}

#[test]
fn a_rerun_that_is_stopped_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 2);
    sandbox.run_json(&[]);
    let key = {
        let store = store(&sandbox);
        let run = store.runs().unwrap()[0].1;
        let stages = store.run(run).unwrap().stages;
        let training = stages.into_iter().find(|it| it.name.starts_with("train"));
        training.unwrap().action.unwrap()
    };
    // A checkpoint of nobody: a rerun must not go on from it.
    let scratch = store(&sandbox).scratch(key).unwrap();
    fs::create_dir(scratch.join("checkpoint-0000001")).unwrap();
    fs::write(scratch.join("checkpoint-0000001/checkpoint.json"), "{}").unwrap();
    let report = rerun_json(&sandbox, &["small:train/bp/seed=1"], 0);
    assert_eq!(report["actions"][0]["outcome"], "same");
    assert!(!scratch.exists());

    // While another has the action, the rerun waits, and hears that it is to stop.
    let lock = store(&sandbox).lock_action(key, true).unwrap().unwrap();
    let arguments = ["audit", "small:train/bp/seed=1", "--rerun", "--json"];
    let mut command = sandbox.command(&arguments);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !has_handler(child.id()) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(lock);
    assert!(!scratch.exists());
    assert_eq!(store(&sandbox).results(key).unwrap().len(), 2);
}

/// Whether the process catches Ctrl-C by now.
fn has_handler(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught & (1 << (rustix::process::Signal::INT.as_raw() - 1)) != 0
}
