//! `pipeline status` and `pipeline why`: what is stale, and what made it so, back to the line.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use assay_tests::{Finished, Sandbox, fixture, libraries};
use serde_json::{Value, json};

/// A sandbox with one training, which has run.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    sandbox.run_json(&[]);
    sandbox
}

fn status(sandbox: &Sandbox, more: &[&str]) -> Finished {
    sandbox.execute(&[&["status", "pipeline.toml"], more].concat())
}

fn why(sandbox: &Sandbox, more: &[&str]) -> String {
    let why = sandbox.execute(&[&["why", "pipeline.toml"], more].concat());
    why.exits(0).stdout
}

/// The one stage that is explained.
fn why_json(sandbox: &Sandbox, more: &[&str]) -> Value {
    let text = why(sandbox, &[more, &["--json"]].concat());
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    let stages = answer["stages"].as_array_mut().unwrap();
    assert_eq!(stages.len(), 1, "{text}");
    stages.remove(0)
}

/// Replaces text of the pipeline file, and gives the line and column where the new text begins.
fn edit(sandbox: &Sandbox, from: &str, to: &str) -> (usize, usize) {
    let path = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from}");
    let edited = text.replacen(from, to, 1);
    let at = edited.find(to).unwrap();
    fs::write(path, &edited).unwrap();
    let line = edited[..at].matches('\n').count() + 1;
    (
        line,
        at - edited[..at].rfind('\n').map_or(0, |end| end + 1) + 1,
    )
}

fn objects(sandbox: &Sandbox, artifact: &str) -> Vec<PathBuf> {
    let path = |hash: &str| {
        let (shard, rest) = hash.split_at(2);
        sandbox.path("artifacts/objects").join(shard).join(rest)
    };
    let manifest = fs::read(path(artifact)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_object().unwrap().values();
    files
        .map(|file| path(file["object"].as_str().unwrap()))
        .collect()
}

#[test]
fn status_tells_a_script_whether_anything_would_run() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let fresh = status(&sandbox, &[]).exits(1);
    assert!(fresh.stdout.contains("no dataset has run in this store"));
    assert!(fresh.stdout.ends_with("0 up to date, 4 not\n"));

    sandbox.run_json(&[]);
    let current = status(&sandbox, &[]).exits(0);
    assert_eq!(current.stdout, "4 up to date, 0 not\n");

    let changed = ["--set", "train.epochs=2"];
    let stale = status(&sandbox, &changed).exits(1);
    assert!(stale.stdout.contains("changed: parameters.epochs"));
    let only = [&changed[..], &["--only", "data"]].concat();
    let _ = status(&sandbox, &only).exits(0);
    let json = status(&sandbox, &["--json"]).exits(0).json();
    assert_eq!(json["stages"][0]["reason"], "cached");
    let _ = status(&sandbox, &["--only", "trian"]).exits(2);
}

#[test]
fn a_cached_stage_is_explained_by_its_result() {
    let sandbox = trained();
    assert_eq!(
        why(&sandbox, &[]),
        "every stage is cached; name one to see its result\n"
    );
    let answer = why_json(&sandbox, &["train"]);
    assert_eq!(answer["stage"], "train/bp/seed=1");
    assert_eq!(answer["state"], "cached");
    assert_eq!(answer["result"]["action"], answer["action"]);
    assert!(why(&sandbox, &["train/bp"]).contains("train/bp/seed=1 is cached"));
}

#[test]
fn what_differs_is_followed_to_its_line() {
    let sandbox = trained();
    let (line, column) = edit(
        &sandbox,
        "[method.bp]\nalgorithm = \"bp\"\nhyperparameters = { learning_rate = 0.01 }",
        "[method.bp]\nalgorithm = \"bp\"\nhyperparameters = { learning_rate = 0.02 }",
    );
    let text = why(&sandbox, &["train"]);
    let written = "hyperparameters = { learning_rate = 0.02 }";
    let (line, column) = (line + 2, column + written.find("0.02").unwrap());
    for expected in [
        "train/bp/seed=1 would run: it differs from what it was in run ",
        "\n  parameters.hyperparameters.learning_rate: 0.01 → 0.02\n",
        &format!("\n    pipeline.toml:{line}:{column}: {written}\n"),
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(
        why(&sandbox, &["report"]).contains("report waits for train/bp/seed=1, evaluate/bp/seed=1")
    );

    // The network stands elsewhere than the stage that names it.
    let (line, _) = edit(&sandbox, r#""fc 12""#, r#""fc 10""#);
    let answer = why_json(&sandbox, &["train"]);
    let changes = answer["comparison"]["changes"].as_array().unwrap();
    let layers = changes
        .iter()
        .find(|it| it["field"] == "parameters.network.layers");
    assert_eq!(layers.unwrap()["cause"]["because"], "written");
    assert_eq!(layers.unwrap()["cause"]["line"], line);
}

#[test]
fn an_override_an_option_and_a_default_are_told_from_the_file() {
    let sandbox = trained();
    let set = why(&sandbox, &["train", "--set", "train.epochs=3"]);
    assert!(
        set.contains("parameters.epochs: 1 → 3\n    --set train.epochs=3\n"),
        "{set}"
    );
    edit(
        &sandbox,
        "[method.bp]\nalgorithm = \"bp\"\nhyperparameters = { learning_rate = 0.01 }",
        "[method.bp]\nalgorithm = \"bp\"",
    );
    let gone = why_json(&sandbox, &["train"]);
    let change = &gone["comparison"]["changes"][0];
    assert_eq!(change["field"], "parameters.hyperparameters.learning_rate");
    assert_eq!(change["cause"], json!({"because": "default"}));
}

#[test]
fn threads_are_part_of_an_action_unless_its_algorithm_is_portable() {
    let portable = trained();
    let cached = why(&portable, &["train", "--threads", "2"]);
    assert!(cached.starts_with("train/bp/seed=1 is cached"), "{cached}");

    let sandbox = Sandbox::new();
    fs::copy(fixture("liblinear.so"), sandbox.path("plugin.so")).unwrap();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let linear = [
        "--set",
        "method.bp.plugin=\"./plugin.so\"",
        "--set",
        "method.bp.algorithm=\"linear\"",
        "--set",
        "method.bp.hyperparameters.learning_rate=0.2",
        "--set",
        "network.small.layers=[\"softmax 4\"]",
    ];
    sandbox.run_json(&linear);
    let threads = why(
        &sandbox,
        &[&["train", "--threads", "2"], &linear[..]].concat(),
    );
    assert!(
        threads.contains("environment.threads: 1 → 2\n    the option --threads\n"),
        "{threads}"
    );
}

#[test]
fn another_artifact_is_followed_to_the_stage_that_gave_it() {
    let sandbox = trained();
    let (line, _) = edit(&sandbox, "validation = 100", "validation = 120");
    let waiting = why(&sandbox, &["train"]);
    assert_eq!(waiting, "train/bp/seed=1 waits for data\n");
    sandbox.run_json(&["--only", "data"]);

    let answer = why_json(&sandbox, &["train"]);
    let change = &answer["comparison"]["changes"][0];
    assert_eq!(change["field"], "inputs.dataset");
    assert_eq!(change["cause"]["because"], "stage");
    assert_eq!(change["cause"]["stage"], "data");
    let of_data = &change["cause"]["change"]["differs"]["changes"][0];
    assert_eq!(of_data["field"], "parameters.validation");
    assert_eq!(of_data["before"], 100);
    assert_eq!(of_data["cause"]["line"], line);
    let text = why(&sandbox, &["train"]);
    assert!(
        text.contains("`data` gives another artifact, for it differs in"),
        "{text}"
    );
}

#[test]
fn other_files_of_a_dataset_are_told_from_other_settings() {
    let sandbox = trained();
    let labels = sandbox.path("data/train-labels-idx1-ubyte");
    let mut bytes = fs::read(&labels).unwrap();
    let last = bytes.last_mut().unwrap();
    *last = u8::from(*last == 0);
    fs::write(labels, bytes).unwrap();
    let text = why(&sandbox, &["data"]);
    assert!(text.contains("the files of pipeline.toml:"), "{text}");
    assert!(text.contains("path = \"data\""), "{text}");
}

#[test]
fn a_plugin_that_was_built_again_is_named() {
    let sandbox = trained();
    let folder = sandbox.path("plugins");
    fs::create_dir(&folder).unwrap();
    let library = folder.join("libassay_bp.so");
    fs::copy(libraries().join("libassay_bp.so"), &library).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&library).unwrap();
    file.write_all(b"built again").unwrap();
    let text = why(&sandbox, &["train", "--plugin-dir", "plugins"]);
    assert!(text.contains("plugin.hash: "), "{text}");
    assert!(text.contains("the library is "), "{text}");
    assert!(text.contains("plugins/libassay_bp.so"), "{text}");
}

#[test]
fn a_damaged_result_says_what_is_wrong_with_it() {
    let sandbox = trained();
    let artifact = why_json(&sandbox, &["data"])["result"]["artifact"].clone();
    let object = &objects(&sandbox, artifact.as_str().unwrap())[0];
    fs::remove_file(object).unwrap();
    let answer = why_json(&sandbox, &["data"]);
    assert_eq!(answer["state"], "damaged");
    let problem = answer["problems"][0].as_str().unwrap();
    assert!(problem.contains("is not in the store"), "{problem}");
}

#[test]
fn a_stage_that_failed_says_so() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    // A limit decides nothing, so the action is the same without it.
    let stopped = ["--set", r#"train.limits.time="10ms""#];
    let _ = sandbox.run(&stopped).exits(1);
    assert!(why(&sandbox, &["train"]).contains("it failed when it last ran, in run "));
}
