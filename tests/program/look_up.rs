//! Runs that take results from remotes: whose results count, remotes that are damaged, and remotes that are not
//! there.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use assay_core::ObjectHash;
use assay_tests::{Finished, Sandbox};
use serde_json::Value;

/// A sandbox whose first store has a run, and whose remote `lab` does.
fn sender() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let _ = sandbox.run_json(&[]);
    let _ = sandbox.execute(&["push", "./lab"]).exits(0);
    sandbox
}

fn asks(sandbox: &Sandbox, whose: &str) {
    let _ = sandbox
        .execute(&["remote", "add", "lab", "./lab", "--look-up", whose])
        .exits(0);
}

/// The outcomes of a run with a store of its own.
fn outcomes(sandbox: &Sandbox, store: &str, more: &[&str]) -> Vec<String> {
    let run = sandbox.run_json(&[&["--store", store], more].concat());
    let stages = run["stages"].as_array().unwrap().iter();
    let outcome = |stage: &Value| stage["outcome"].as_str().unwrap().to_owned();
    stages.map(outcome).collect()
}

fn all(outcomes: &[String], outcome: &str) -> bool {
    !outcomes.is_empty() && outcomes.iter().all(|it| it == outcome)
}

#[test]
fn what_a_colleague_has_trained_is_not_trained_again() {
    let sandbox = sender();
    assert!(
        all(&outcomes(&sandbox, "without", &[]), "ran"),
        "nobody asked for it"
    );
    asks(&sandbox, "any");
    let listed = sandbox
        .execute(&["remote", "list", "--json"])
        .exits(0)
        .json();
    assert_eq!(listed["remotes"][0]["look_up"], "any");
    assert!(all(&outcomes(&sandbox, "with", &[]), "cached"));
    let _ = sandbox
        .execute(&["audit", "--all", "--store", "with"])
        .exits(0);
    assert!(all(&outcomes(&sandbox, "again", &["--no-look-up"]), "ran"));
}

#[test]
fn results_count_that_somebody_signed_whom_one_trusts() {
    let sandbox = sender();
    let _ = sandbox
        .execute(&["plugin", "keygen", "--no-password"])
        .exits(0);
    asks(&sandbox, "mine");
    assert!(all(&outcomes(&sandbox, "unsigned", &[]), "ran"));
    let signed = sandbox
        .execute(&["push", "./lab", "--sign", "--json"])
        .exits(0)
        .json();
    assert_eq!(signed["runs"][0]["signed"], 4);
    let again = sandbox
        .execute(&["push", "./lab", "--sign", "--json"])
        .exits(0)
        .json();
    assert_eq!(again["runs"][0]["signed"], 0);
    assert!(all(&outcomes(&sandbox, "mine", &[]), "cached"));
    asks(&sandbox, "signed");
    assert!(
        all(&outcomes(&sandbox, "stranger", &[]), "ran"),
        "nobody trusts the key"
    );
    let key = sandbox.path("home/XDG_CONFIG_HOME/assay/signing.pub");
    let trust = ["plugin", "trust", "--key", key.to_str().unwrap()];
    let _ = sandbox.execute(&trust).exits(0);
    assert!(all(&outcomes(&sandbox, "trusted", &[]), "cached"));
    // A signature of another result is none of this one.
    let mut signatures: Vec<_> = fs::read_dir(sandbox.path("lab/signatures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    signatures.sort();
    let file = |folder: &Path| {
        fs::read_dir(folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    };
    let other = fs::read(file(&signatures[0])).unwrap();
    for folder in &signatures[1..] {
        fs::write(file(folder), &other).unwrap();
    }
    assert!(
        outcomes(&sandbox, "forged", &[])
            .iter()
            .any(|outcome| outcome == "ran")
    );
}

#[test]
fn a_damaged_remote_costs_a_remark() {
    let sandbox = sender();
    asks(&sandbox, "any");
    let mut folders = vec![sandbox.path("lab/objects")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut bytes = fs::read(&path).unwrap();
            if let Some(byte) = bytes.first_mut() {
                *byte ^= 1;
            }
            fs::write(path, bytes).unwrap();
        }
    }
    let run = sandbox.run(&["--store", "fresh"]).exits(0);
    assert!(run.stderr.contains("cannot be used"), "{}", run.stderr);
    let _ = sandbox
        .execute(&["audit", "--all", "--store", "fresh"])
        .exits(0);
    // A folder that is gone is said too.
    fs::remove_dir_all(sandbox.path("lab")).unwrap();
    let run = sandbox.run(&["--store", "fresher"]).exits(0);
    assert!(
        run.stderr.contains("going on without the remote lab"),
        "{}",
        run.stderr
    );
}

#[test]
fn results_that_differ_are_told() {
    let sandbox = sender();
    asks(&sandbox, "any");
    let run = sandbox.run_json(&[]);
    let stages = run["stages"].as_array().unwrap();
    let field = |kind: &str, field: &str| {
        let stage = stages.iter().find(|stage| stage["kind"] == kind).unwrap();
        stage[field].as_str().unwrap().to_owned()
    };
    // Another result of the evaluation: what the dataset gave.
    let (action, artifact) = (field("evaluate", "action"), field("evaluate", "artifact"));
    let folder = sandbox
        .path("lab/results")
        .join(&action[..2])
        .join(&action[2..]);
    let record = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let other = fs::read_to_string(record).unwrap();
    let other = other.replace(&artifact, &field("dataset", "artifact"));
    let name = ObjectHash::of(other.as_bytes());
    fs::write(folder.join(format!("{name}.json")), other).unwrap();
    // Which of them the report is made from decides whether it can be made at all.
    let said = sandbox.run(&["--store", "fresh"]).stderr;
    assert!(said.contains("2 results that differ"), "{said}");
}

#[test]
fn a_remote_that_does_not_answer_costs_a_second() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let _ = sandbox.run_json(&[]);
    let add = [
        "remote",
        "add",
        "lab",
        "s3://bucket/tables",
        "--look-up",
        "any",
    ];
    let _ = sandbox.execute(&add).exits(0);
    // One that takes connections and says nothing, and one that takes none.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent
        .local_addr()
        .map(|address| (address.port(), Some(silent)))
        .unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (number, (port, _listener)) in [silent, (closed, None)].into_iter().enumerate() {
        let run = |store: &str, more: &[&str]| {
            let arguments = ["run", "pipeline.toml", "--store", store, "--only", "data"];
            let mut command = sandbox.command(&[&arguments[..], more].concat());
            command
                .env("AWS_ACCESS_KEY_ID", "anybody")
                .env("AWS_SECRET_ACCESS_KEY", "secret")
                .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
                .env("AWS_ALLOW_HTTP", "true");
            let begun = Instant::now();
            let run = Finished::run(&mut command).exits(0);
            (begun.elapsed(), run.stderr)
        };
        let cost = |attempt: usize| {
            let store = format!("{number}-{attempt}");
            let (alone, _) = run(&format!("alone-{store}"), &["--no-look-up"]);
            let (asking, said) = run(&format!("asking-{store}"), &[]);
            let given_up = said.matches("going on without the results of").count();
            assert_eq!(given_up, 1, "{said}");
            asking.saturating_sub(alone)
        };
        // Other programs may have used the machine in one of them.
        let is_little = |cost: &Duration| *cost < Duration::from_millis(1500);
        assert!((0..3).map(cost).any(|cost| is_little(&cost)));
    }
}
