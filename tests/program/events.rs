//! `run --events`: what happens in a run, as lines of JSON, while it happens.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use assay_tests::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const FILE: &str = "events.jsonl";

/// The events in a file; each line is one.
fn events(sandbox: &Sandbox, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(sandbox.path(file)).unwrap();
    assert!(text.ends_with('\n'), "the last line is whole");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

fn kinds<'a>(events: &'a [Value], of_stage: &str) -> Vec<&'a str> {
    let of_stage = events.iter().filter(|event| event["stage"] == of_stage);
    let mut kinds: Vec<_> = of_stage.map(|it| it["event"].as_str().unwrap()).collect();
    kinds.retain(|kind| *kind != "stage-progress");
    kinds
}

fn only<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    let mut of_kind = events.iter().filter(|event| event["event"] == kind);
    let first = of_kind.next().unwrap();
    assert!(of_kind.next().is_none(), "more than one {kind}");
    first
}

#[test]
fn a_run_tells_what_happens_in_it() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 3);
    let run = sandbox.run_json(&["--events", FILE]);
    let first = events(&sandbox, FILE);
    for event in &first {
        assert_eq!(event["version"], 1);
        assert_eq!(event["id"], first[0]["id"]);
        assert!(event["time_ms"].as_u64().unwrap() > 1_600_000_000_000);
    }
    let started = &first[0];
    assert_eq!(started["event"], "run-started");
    assert_eq!(started["pipeline"], "small");
    let train = &started["stages"][1];
    assert_eq!(train["stage"], "train/bp/seed=1");
    assert_eq!(train["epochs"], 3);
    assert_eq!(
        kinds(&first, "train/bp/seed=1"),
        ["stage-started", "epoch", "epoch", "epoch", "stage-finished"]
    );
    let finished = first.last().unwrap();
    assert_eq!(finished, only(&first, "run-finished"));
    assert_eq!(finished["outcome"], "complete");
    assert_eq!(finished["run"], run["run"]);

    let epochs = first.iter().filter(|event| event["event"] == "epoch");
    let epochs: Vec<_> = epochs.collect();
    let errors: Vec<_> = epochs
        .iter()
        .map(|it| it["measured"]["validation"]["error"].as_f64().unwrap())
        .collect();
    let best = errors.iter().copied().fold(f64::INFINITY, f64::min);
    let last = epochs.last().unwrap();
    assert_eq!(last["best"]["value"].as_f64(), Some(best));
    assert_eq!(last["best"]["split"], "validation");
    for split in ["train", "validation", "test"] {
        assert!(last["measured"][split]["loss"].is_f64(), "{last}");
    }
    assert!(last["measured"]["train"]["batch_loss"].is_f64());

    // Another run appends, and everything is cached.
    let _ = sandbox.run_json(&["--events", FILE]);
    let both = events(&sandbox, FILE);
    let second = &both[first.len()..];
    assert_eq!(both[..first.len()], first[..]);
    assert_ne!(second[0]["id"], first[0]["id"]);
    assert_eq!(kinds(second, "train/bp/seed=1"), ["stage-cached"]);
    let cached = second.iter().find(|it| it["stage"] == "train/bp/seed=1");
    let stages = run["stages"].as_array().unwrap();
    let train = stages.iter().find(|it| it["name"] == "train/bp/seed=1");
    assert_eq!(cached.unwrap()["artifact"], train.unwrap()["artifact"]);
    assert_eq!(cached.unwrap()["action"], train.unwrap()["action"]);
}

#[test]
fn a_failure_and_a_divergence_are_told() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 3);
    let set = "method.bp.hyperparameters.learning_rate=1e38";
    let _ = sandbox.run(&["--events", FILE, "--set", set]);
    let told = events(&sandbox, FILE);
    assert_eq!(only(&told, "diverged")["epoch"], 1);
    fs::write(sandbox.path("data/train-images-idx3-ubyte"), "damaged").unwrap();
    let _ = sandbox.run(&["--events", "failed.jsonl"]).exits(1);
    let told = events(&sandbox, "failed.jsonl");
    assert_eq!(kinds(&told, "data"), ["stage-started", "stage-failed"]);
    assert_eq!(only(&told, "run-finished")["outcome"], "failed");
}

#[test]
fn a_resumed_training_tells_the_epochs_that_it_goes_on_from() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 400);
    let mut run = sandbox.start(&["--events", FILE]);
    let patience = Instant::now() + Duration::from_mins(1);
    let is_training = || {
        let text = fs::read_to_string(sandbox.path(FILE)).unwrap_or_default();
        text.matches(r#""event":"epoch""#).count() > 3
    };
    while !is_training() {
        assert!(Instant::now() < patience, "no epoch was told");
        thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&run), Signal::INT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let stopped = events(&sandbox, FILE);
    assert_eq!(only(&stopped, "stage-stopped")["stage"], "train/bp/seed=1");
    assert_eq!(only(&stopped, "run-finished")["outcome"], "stopped");
    let epochs = |events: &[Value]| -> Vec<Value> {
        let epochs = events.iter().filter(|event| event["event"] == "epoch");
        epochs.cloned().collect()
    };
    let before = epochs(&stopped);

    // What an interrupted run left of a line does not spoil the next one.
    let mut text = fs::read(sandbox.path(FILE)).unwrap();
    text.extend(br#"{"version":1,"id":"#);
    fs::write(sandbox.path(FILE), &text).unwrap();
    let _ = sandbox.run_json(&["--events", FILE]);
    let after = fs::read_to_string(sandbox.path(FILE)).unwrap();
    let after: Vec<_> = after[text.len()..].lines().skip(1).collect();
    let resumed: Vec<Value> = after
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let resumed = epochs(&resumed);
    let numbers = resumed.iter().map(|it| it["epoch"].as_u64().unwrap());
    assert!(numbers.eq(1..=400));
    for (before, resumed) in before.iter().zip(&resumed) {
        assert_eq!(resumed["restored"], true);
        assert_eq!(before["measured"], resumed["measured"]);
        assert_eq!(before["best"], resumed["best"]);
    }
    assert_eq!(resumed[399]["restored"], false);
}

#[test]
fn events_go_to_regular_files_alone() {
    let sandbox = Sandbox::new();
    let made = Command::new("mkfifo").arg(sandbox.path("pipe")).status();
    assert!(made.unwrap().success());
    symlink(sandbox.path("target"), sandbox.path("link")).unwrap();
    for (file, words) in [
        ("pipe", "a pipe"),
        ("data", "a folder"),
        ("link", "a symbolic link"),
        ("/dev/null", "a device"),
        ("nowhere/events", "No such file"),
    ] {
        let refused = sandbox.run(&["--events", file]).exits(2).stderr;
        assert!(refused.contains("cannot append events to"), "{refused}");
        assert!(refused.contains(words), "{refused}");
    }
    assert!(!sandbox.path("target").exists());
    let runs = fs::read_dir(sandbox.path("artifacts/runs")).unwrap();
    assert_eq!(runs.count(), 0, "nothing ran");
    let both = sandbox.run(&["--events", FILE, "--dry-run"]).exits(2);
    assert!(both.stderr.contains("cannot be used with"), "{both:?}");
}
