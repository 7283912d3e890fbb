//! `pipeline diff` of two runs: only the fields that differ, with both values.

use assay_tests::Sandbox;
use serde_json::{Value, json};

fn diff(sandbox: &Sandbox, runs: [&str; 2], code: i32) -> Value {
    let arguments = ["diff", runs[0], runs[1], "--json"];
    sandbox.execute(&arguments).exits(code).json()
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let report = sandbox.run_json(arguments);
    report["run"].as_str().unwrap().to_owned()
}

/// The stage of that name in a difference.
fn stage<'a>(difference: &'a Value, name: &str) -> &'a Value {
    let mut stages = difference["stages"].as_array().unwrap().iter();
    stages.find(|it| it["names"][0] == name).unwrap()
}

#[test]
fn runs_that_differ_are_told_apart_field_by_field() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp", "fa"]"#, 1);
    let first = run(&sandbox, &[]);
    let same = run(&sandbox, &[]);
    let difference = diff(&sandbox, [&first, &same], 0);
    assert_eq!(difference["same"], true);
    assert_eq!(difference["stages_the_same"], 6);

    let rate = "method.bp.hyperparameters.learning_rate=0.0001";
    let other = run(&sandbox, &["--set", rate]);
    let difference = diff(&sandbox, [&first, &other], 1);
    let fields = json!([{ "field": "overrides", "before": [], "now": [rate] }]);
    assert_eq!(difference["fields"], fields);
    // The dataset and what `fa` did are the same.
    assert_eq!(difference["stages_the_same"], 3);
    let training = stage(&difference, "train/bp/seed=1");
    let field = "parameters.hyperparameters.learning_rate";
    let expected = json!([{ "field": field, "before": 0.01, "now": 0.0001 }]);
    assert_eq!(training["fields"], expected);

    let metrics = stage(&difference, "evaluate/bp/seed=1")["metrics"]
        .as_array()
        .unwrap();
    let of = json!({ "state": "final", "split": "train" });
    let loss = metrics
        .iter()
        .find(|it| it["of"] == of && it["metric"] == "loss");
    let loss = loss.unwrap();
    assert_ne!(loss["before"].as_f64(), loss["now"].as_f64());
    let metrics = stage(&difference, "report")["metrics"].as_array().unwrap();
    assert!(!metrics.is_empty());
    assert!(
        metrics.iter().all(|it| it["of"]["method"] == "bp"),
        "{metrics:#?}"
    );

    let words = sandbox.execute(&["diff", &first, &other]).exits(1).stdout;
    for part in [
        "parameters.hyperparameters.learning_rate: 0.01 → 0.0001\n    train/bp/seed=1\n",
        "reads another training\n    evaluate/bp/seed=1",
        "train, final, loss",
        "3 stages differ, 3 are the same",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[test]
fn stages_are_matched_by_name_and_then_by_what_they_do() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp", "fa"]"#, 1);
    let first = run(&sandbox, &[]);
    let text = std::fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
    let renamed = text
        .replace("[stage.train]", "[stage.learn]")
        .replace(r#"training = "train""#, r#"training = "learn""#)
        .replace(r#"["bp", "fa"]"#, r#"["bp", "dfa"]"#);
    std::fs::write(sandbox.path("pipeline.toml"), renamed).unwrap();
    let second = run(&sandbox, &[]);
    let difference = diff(&sandbox, [&first, &second], 1);
    // `train/bp` and `learn/bp` are one and the same, and so differ in nothing.
    assert_eq!(difference["stages_the_same"], 3);
    let stages = difference["stages"].as_array().unwrap().iter();
    let names: Vec<_> = stages.map(|it| it["names"].clone()).collect();
    let expected = [
        json!(["train/fa/seed=1", null]),
        json!(["evaluate/fa/seed=1", null]),
        json!(["report", "report"]),
        json!([null, "learn/dfa/seed=1"]),
        json!([null, "evaluate/dfa/seed=1"]),
    ];
    assert_eq!(names, expected);

    let refused = sandbox
        .execute(&["diff", "latest", "latest:report"])
        .exits(2);
    assert!(
        refused.stderr.contains("is not a run but the stage"),
        "{refused:#?}"
    );
}
