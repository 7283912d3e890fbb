//! Output to a terminal, and runs whose output nobody takes.

use std::fs;
use std::process::Command;

use assay_core::steers_terminal;
use assay_store::Store;
use assay_tests::{Finished, Sandbox, binary};

/// Every verb, so that none can be forgotten.
const VERBS: [&str; 21] = [
    "run", "status", "watch", "export", "why", "exec", "diff", "show", "cat", "ls", "lineage",
    "audit", "gc", "pin", "unpin", "data", "plugin", "network", "doctor", "bundle", "unbundle",
];

/// Runs a line of shell with `pipeline` in it.
fn shell(sandbox: &Sandbox, line: &str) -> Finished {
    let environment = sandbox.command(&[]);
    let mut command = Command::new("bash");
    command.current_dir(sandbox.path("")).arg("-c");
    command.arg(format!("set -o pipefail; {line}"));
    for (name, value) in environment.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("pipeline", binary());
    let output = command.output().unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The runs that the store has recorded.
fn runs(sandbox: &Sandbox) -> usize {
    let store = Store::open_existing(sandbox.path("artifacts")).unwrap();
    store.runs().unwrap().len()
}

#[test]
fn a_run_whose_output_nobody_takes_is_run_and_recorded() {
    let sandbox = Sandbox::new();
    let run = "$pipeline run pipeline.toml --only train/bp";
    for (number, (redirected, code)) in [
        ("2>/dev/full", 0),
        ("2>&1 | head -1", 0),
        ("2>&-", 0),
        (">&-", 0),
        (">/dev/full", 2),
        (">/dev/full 2>/dev/full", 2),
    ]
    .into_iter()
    .enumerate()
    {
        // A seed of its own, so that there is something to do and to tell.
        let line = format!("{run} --set train.matrix.seed=[{number}] {redirected}");
        let finished = shell(&sandbox, &line).exits(code);
        assert_eq!(runs(&sandbox), number + 1, "{redirected}");
        if redirected == ">/dev/full" {
            let said = finished.stderr;
            assert!(said.contains("cannot write to standard output"), "{said}");
        }
    }
}

#[test]
fn a_failure_is_told_where_the_table_cannot_be() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/train-images-idx3-ubyte"), "damaged").unwrap();
    let said = shell(&sandbox, "$pipeline run pipeline.toml >/dev/full").exits(2);
    assert!(said.stderr.contains("`data` failed"), "{}", said.stderr);
}

#[test]
fn readers_that_go_away_end_nothing() {
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&["--only", "data"]).exits(0);
    for verb in VERBS {
        let first = shell(&sandbox, &format!("$pipeline {verb} --help | head -1")).exits(0);
        assert!(!first.stdout.is_empty(), "{verb}");
        assert_eq!(first.stderr, "", "{verb}");
    }
    for line in [
        "ls",
        "ls artifacts",
        "show latest",
        "audit",
        "status pipeline.toml",
    ] {
        let ended = shell(&sandbox, &format!("$pipeline {line} | head -1"));
        assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
        assert_eq!(ended.stderr, "", "{line}");
    }
    let full = shell(&sandbox, "$pipeline --help >/dev/full").exits(2);
    assert!(full.stderr.contains("cannot write to standard output"));
    let _ = shell(&sandbox, "$pipeline rnu 2>/dev/full").exits(2);
}

/// A name that would clear the screen, set its title and clipboard, ring, turn the line, and
/// begin a line of its own.
const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\u{1b}]0;t\u{7}\u{1b}]8;;http://x\u{1b}\\\u{1b}]52;c;eA==\u{7}\u{202e}b\nforged: c";

/// Nothing in the text steers a terminal, and no name has a line of its own.
#[track_caller]
fn assert_printable(what: &str, text: &str) {
    let steers = |char: char| char != '\n' && char != '\t' && steers_terminal(char);
    assert!(!text.contains(steers), "{what}: {text:?}");
    let forged = text.lines().any(|line| line.starts_with("forged"));
    assert!(!forged, "{what}: {text}");
}

#[track_caller]
fn assert_both_printable(what: &str, finished: &Finished) {
    assert!(matches!(finished.code, Some(0..=2)), "{finished:?}");
    assert_printable(what, &finished.stdout);
    assert_printable(what, &finished.stderr);
    let said = finished.stdout.len() + finished.stderr.len();
    assert!(said > 0, "{what} says nothing");
}

/// Runs with `arguments`, and looks at what is printed, with `--json` too.
#[track_caller]
fn look(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    let what = arguments.join(" ");
    let finished = sandbox.execute(arguments);
    assert_both_printable(&what, &finished);
    let json = sandbox.execute(&[arguments, &["--json"]].concat());
    assert_both_printable(&format!("{what} --json"), &json);
    if json.code == Some(0) {
        json.json();
    }
    finished
}

#[test]
fn names_of_strangers_in_records_do_not_steer_a_terminal() {
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&["--only", "data"]).exits(0);
    let store = Store::open_existing(sandbox.path("artifacts")).unwrap();
    let (hash, mut run) = {
        let (_, hash) = store.runs().unwrap()[0];
        (hash, store.run(hash).unwrap())
    };
    run.pipeline = HOSTILE.to_owned();
    run.host = HOSTILE.to_owned();
    run.version = HOSTILE.to_owned();
    run.overrides = vec![HOSTILE.to_owned()];
    run.stages[0].name = HOSTILE.to_owned();
    let forged = store.commit_run(&run).unwrap().to_string();
    let hash = hash.to_string();
    look(&sandbox, &["ls"]);
    look(&sandbox, &["ls", "artifacts"]);
    look(&sandbox, &["show", &forged]);
    look(&sandbox, &["diff", &hash, &forged]);
    look(&sandbox, &["gc", "--dry-run", "--keep-last", "1"]);
    let artifact = run.stages[0].artifact.unwrap();
    look(&sandbox, &["lineage", &artifact.to_string()]);
    look(&sandbox, &["show", &artifact.to_string()]);
    look(
        &sandbox,
        &["bundle", &forged, "--output", "b.bundle", "--force"],
    );
    look(&sandbox, &["unbundle", "b.bundle", "--check"]);
    look(&sandbox, &["unbundle", "b.bundle", "--list"]);
    // Damage, so that the audit has something to say of it.
    let files = store.artifact(artifact).unwrap().files;
    let path = store.object_path(files.values().next().unwrap().object);
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(&path, permissions).unwrap();
    fs::write(&path, "damaged").unwrap();
    let audit = look(&sandbox, &["audit"]);
    assert!(audit.stdout.contains(r"\u{1b}[2J"), "{}", audit.stdout);
}

#[test]
fn names_on_the_command_line_and_in_files_do_not_steer_a_terminal() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["run", HOSTILE][..],
        &["show", HOSTILE],
        &["cat", HOSTILE],
        &["unbundle", HOSTILE],
        &["run", "pipeline.toml", "--only", HOSTILE],
        &["run", "pipeline.toml", "--set", HOSTILE],
        &["run", "pipeline.toml", "--jobs", HOSTILE],
        &["ls", "--store", HOSTILE],
        &["plugin", "info", HOSTILE],
        &[HOSTILE],
    ] {
        let finished = sandbox.execute(arguments);
        assert_both_printable(&format!("{arguments:?}"), &finished);
        let seen = finished.stderr.contains(r"\u{1b}[2J");
        assert!(seen, "{arguments:?}: {}", finished.stderr);
    }
    let quoted = serde_json::to_string(HOSTILE)
        .unwrap()
        .replace('\u{9b}', r"\u009b");
    let text = fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
    for (old, new) in [
        ("[stage.train]", format!("[stage.{quoted}]")),
        ("dataset = \"data\"", format!("dataset = {quoted}")),
        ("source = \"idx\"", format!("source = {quoted}")),
        ("path = \"data\"", format!("path = {quoted}")),
        ("epochs = 2", format!("epochs = 2\n{quoted} = 1")),
        ("algorithm = \"bp\"", format!("algorithm = {quoted}")),
        ("learning_rate = 0.01 ", format!("{quoted} = 0.01 ")),
        (
            "classes = 4",
            format!("class_names = [{quoted}, {quoted}, \"x\", \"y\"]"),
        ),
        ("epochs = 2", "epochs = \u{9b}\u{202e}2".to_owned()),
    ] {
        assert!(text.contains(old), "{old}");
        fs::write(sandbox.path("pipeline.toml"), text.replacen(old, &new, 1)).unwrap();
        let run = sandbox.run(&[]);
        assert!(matches!(run.code, Some(1 | 2)), "{new}: {run:?}");
        assert_both_printable(&new, &run);
    }
}

#[test]
fn class_names_do_not_steer_a_terminal() {
    let sandbox = Sandbox::new();
    let quoted = serde_json::to_string(HOSTILE)
        .unwrap()
        .replace('\u{9b}', r"\u009b");
    let names = format!("data.class_names=[{quoted}, \"x\", \"y\", \"z\"]");
    let shown = look(
        &sandbox,
        &["data", "show", "pipeline.toml", "--set", &names],
    );
    let _ = shown.exits(0);
}
