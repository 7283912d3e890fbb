//! Plans as documents, executed by another engine than `pipeline run`.

use std::collections::BTreeSet;
use std::fs;

use assay_tests::Sandbox;
use serde_json::Value;

/// Executes every stage of a plan, each after those that it waits for, as any engine would.
fn execute_all(sandbox: &Sandbox, plan: &Value) {
    let mut done = BTreeSet::new();
    let stages = plan["stages"].as_array().unwrap();
    while done.len() < stages.len() {
        let before = done.len();
        for stage in stages {
            let name = stage["name"].as_str().unwrap();
            let after = stage["after"].as_array().unwrap();
            let is_ready = after.iter().all(|it| done.contains(it.as_str().unwrap()));
            if is_ready && !done.contains(name) {
                let _ = sandbox
                    .execute(&["exec", "--plan", "plan.json", name])
                    .exits(0);
                done.insert(name.to_owned());
            }
        }
        assert!(done.len() > before, "the plan has a circle");
    }
}

fn plan(sandbox: &Sandbox) -> Value {
    let _ = sandbox
        .execute(&["plan", "pipeline.toml", "--write", "plan.json"])
        .exits(0);
    serde_json::from_slice(&fs::read(sandbox.path("plan.json")).unwrap()).unwrap()
}

/// Fails unless `pipeline run` finds every stage cached.
fn all_cached(sandbox: &Sandbox) {
    let run = sandbox.run_json(&[]);
    let stages = run["stages"].as_array().unwrap();
    assert!(
        stages.iter().all(|stage| stage["outcome"] == "cached"),
        "{run}"
    );
}

#[test]
fn another_engine_executes_a_plan_stage_by_stage() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp", "fa"]"#, 1);
    let plan = plan(&sandbox);
    let stages = plan["stages"].as_array().unwrap();
    // Only a dataset's action is known before anything has run.
    let known = stages.iter().filter(|stage| !stage["key"].is_null());
    assert_eq!(known.count(), 1);
    let training = stages
        .iter()
        .find(|stage| stage["name"] == "train/bp/seed=1")
        .unwrap();
    assert_eq!(training["after"], serde_json::json!(["data"]));
    assert_eq!(training["resources"]["cpus"], 1);
    let early = ["exec", "--plan", "plan.json", "train/bp/seed=1"];
    let said = sandbox.execute(&early).exits(2).stderr;
    assert!(said.contains("waits for `data`"), "{said}");
    execute_all(&sandbox, &plan);
    all_cached(&sandbox);
    // Next time everything is known from the beginning.
    let plan = self::plan(&sandbox);
    let stages = plan["stages"].as_array().unwrap();
    assert!(
        stages.iter().all(|stage| !stage["artifact"].is_null()),
        "{plan}"
    );
}

#[test]
fn a_search_is_a_plan_like_any_other() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    let begin = text.find("[stage.train]").unwrap();
    let search = r#"[stage.search]
kind = "search"
dataset = "data"
network = "small"
epochs = 2
batch_size = 32
trials = 3
halving = [{ epochs = 1, keep = 2 }]
matrix = { method = ["bp"] }
"#;
    let text = text[..begin].replace(
        r#"algorithm = "bp"
hyperparameters = { learning_rate = 0.01 }"#,
        r#"algorithm = "bp"
space.learning_rate = { log_uniform = [0.001, 0.1] }"#,
    );
    fs::write(&file, text + search).unwrap();
    let plan = plan(&sandbox);
    let stages = plan["stages"].as_array().unwrap();
    assert!(
        stages.iter().any(|stage| !stage["chosen"].is_null()),
        "{plan}"
    );
    execute_all(&sandbox, &plan);
    all_cached(&sandbox);
}

#[test]
fn what_is_no_plan_is_refused() {
    let sandbox = Sandbox::new();
    let exec = |more: &[&str]| {
        let arguments = [&["exec", "--plan", "plan.json"], more].concat();
        sandbox.execute(&arguments).exits(2).stderr
    };
    let _ = sandbox.run_json(&["--only", "data"]);
    assert!(exec(&["x"]).contains("cannot read the plan"));
    fs::write(sandbox.path("plan.json"), "{}").unwrap();
    assert!(exec(&["x"]).contains("is no plan"));
    let _ = plan(&sandbox);
    assert!(exec(&["nothing"]).contains("has no stage `nothing`"));
    let text = fs::read_to_string(sandbox.path("plan.json")).unwrap();
    fs::write(
        sandbox.path("plan.json"),
        text.replace("\"version\": 1", "\"version\": 2"),
    )
    .unwrap();
    assert!(exec(&["data"]).contains("version 2"));
    let said = sandbox.execute(&["exec", "train"]).exits(2).stderr;
    assert!(said.contains("is no key of an action"), "{said}");
}
