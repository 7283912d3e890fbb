//! `pipeline gc`, `rm`, `pin` and `unpin`: what goes, what stays, and what a collection beside runs costs
//! them, which is nothing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use assay_tests::{Sandbox, check_store};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde_json::Value;

const ALL: [&str; 6] = ["gc", "--keep-last", "1", "--grace", "0s", "--json"];

fn one_training() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    sandbox
}

fn outcomes(run: &Value) -> Vec<&str> {
    let stages = run["stages"].as_array().unwrap().iter();
    stages
        .map(|stage| stage["outcome"].as_str().unwrap())
        .collect()
}

fn removed(garbage: &Value, sort: &str) -> u64 {
    garbage["removed"][sort]["count"].as_u64().unwrap_or(0)
}

#[test]
fn runs_and_pins_keep_what_they_name() {
    let sandbox = one_training();
    let first = sandbox.run_json(&[]);
    let second = sandbox.run_json(&["--set", "train.epochs=2"]);
    let gc = |arguments: &[&str]| sandbox.execute(&[&["gc"], arguments].concat()).exits(0);
    let garbage = gc(&["--grace", "0s", "--dry-run", "--json"]).json();
    assert_eq!(
        removed(&garbage, "results") + removed(&garbage, "objects"),
        0
    );

    let text = gc(&["--keep-last", "1", "--dry-run"]).stdout;
    let name = &first["run"].as_str().unwrap()[..12];
    for part in ["would go", name, "1 train, ", "together"] {
        let found = text.contains(part) || (part == "1 train, " && text.contains("1 train."));
        assert!(found, "no {part:?} in:\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    assert_eq!(check_store(&sandbox.path("artifacts")).runs.len(), 2);

    let training = format!("{}:train/bp/seed=1", first["run"].as_str().unwrap());
    let pinned = sandbox
        .execute(&["pin", &training, "--as", "mine"])
        .exits(0);
    assert!(pinned.stdout.starts_with("pinned action "), "{pinned:?}");
    let shown = sandbox.execute(&["show", "mine"]).exits(0).stdout;
    assert!(shown.contains("pinned as    mine"), "{shown}");
    let _ = sandbox
        .execute(&["pin", "latest", "--as", "newest"])
        .exits(0);
    let listed = sandbox.execute(&["ls"]).exits(0).stdout;
    assert!(listed.contains("newest"), "{listed}");
    let _ = sandbox.execute(&["unpin", "newest"]).exits(0);
    let garbage = gc(&["--keep-last", "1", "--grace", "0s", "--json"]).json();
    assert_eq!(
        (removed(&garbage, "runs"), removed(&garbage, "results")),
        (1, 2)
    );
    check_store(&sandbox.path("artifacts"));
    assert_eq!(
        outcomes(&sandbox.run_json(&["--set", "train.epochs=2"])),
        ["cached"; 4]
    );
    assert_eq!(
        outcomes(&sandbox.run_json(&[])),
        ["cached", "cached", "ran", "ran"]
    );

    let _ = sandbox.execute(&["unpin", "mine"]).exits(0);
    let _ = sandbox.run_json(&["--set", "train.epochs=2"]);
    let garbage = gc(&["--keep-last", "1", "--grace", "0s", "--json"]).json();
    assert_eq!(removed(&garbage, "results"), 3);
    assert_eq!(
        outcomes(&sandbox.run_json(&[])),
        ["cached", "ran", "ran", "ran"]
    );
    assert_ne!(first["run"], second["run"]);
}

#[test]
fn forgotten_runs_keep_nothing() {
    let sandbox = one_training();
    let first = sandbox.run_json(&[]);
    let second = sandbox.run_json(&["--set", "train.epochs=2"]);
    let name = first["run"].as_str().unwrap();
    let rm = |arguments: &[&str]| sandbox.execute(&[&["rm"], arguments].concat());
    let refused = |arguments: &[&str], part: &str| {
        let stderr = rm(arguments).exits(2).stderr;
        assert!(stderr.contains(part), "{stderr}");
        assert_eq!(check_store(&sandbox.path("artifacts")).runs.len(), 2);
    };
    refused(
        &["nonesuch"],
        "nothing in the store is called `nonesuch`; `pipeline ls`",
    );
    refused(&["abc"], "too short");
    refused(&["latest:report"], "is not a run but the stage");
    refused(&[], "required");
    let _ = sandbox
        .execute(&["pin", "latest", "--as", "newest"])
        .exits(0);
    // Neither goes if one may not.
    refused(&[name, "small"], "is pinned as `newest`");
    refused(&["small", "--dry-run"], "`pipeline unpin newest`");
    let _ = sandbox.execute(&["unpin", "newest"]).exits(0);

    let would = rm(&[name, "--dry-run", "--json"]).exits(0).json();
    assert_eq!(check_store(&sandbox.path("artifacts")).runs.len(), 2);
    let text = rm(&[&name[..12], name]).exits(0).stdout;
    assert!(
        text.starts_with(&format!("forgot {}  ", &name[..12])),
        "{text}"
    );
    assert!(text.contains("No files were removed: `pipeline gc` frees"));
    assert!(text.contains("older than 7days"), "{text}");
    // Its manifest is now an object as any other.
    let again = rm(&[name]).exits(2).stderr;
    assert!(again.contains("is not a run but the object"), "{again}");
    let runs = check_store(&sandbox.path("artifacts")).runs;
    assert_eq!(runs.len(), 1);

    // What it keeps alone stays for the usual grace, and goes as foretold.
    let gc = |arguments: &[&str]| {
        let arguments = [&["gc", "--json"], arguments].concat();
        sandbox.execute(&arguments).exits(0).json()
    };
    assert_eq!(freed(&gc(&["--dry-run"])), would["gc"]["bytes"]);
    assert_eq!(removed(&gc(&[]), "results"), 0);
    let garbage = gc(&["--grace", "0s"]);
    assert_eq!(removed(&garbage, "results"), 3);
    assert!(freed(&garbage) <= would["gc"]["bytes_without_grace"].as_u64().unwrap());
    check_store(&sandbox.path("artifacts"));
    let again = sandbox.run_json(&["--set", "train.epochs=2"]);
    assert_eq!(outcomes(&again), ["cached"; 4]);
    let both = [&second, &again].map(|run| run["run"].as_str().unwrap());
    let _ = rm(&both).exits(0);
    assert_eq!(check_store(&sandbox.path("artifacts")).runs.len(), 0);
}

/// The bytes that a collection removes.
fn freed(garbage: &Value) -> u64 {
    let amounts = garbage["removed"].as_object().unwrap().values();
    amounts
        .map(|amount| amount["bytes"].as_u64().unwrap())
        .sum()
}

#[test]
fn a_run_in_use_is_not_forgotten() {
    let sandbox = one_training();
    let _ = sandbox.run_json(&[]);
    let mut run = sandbox.start(&["--set", "train.epochs=100000"]);
    wait_for_checkpoint(&sandbox);
    let refused = sandbox.execute(&["rm", "latest"]).exits(2).stderr;
    assert!(
        refused.contains("a running process uses `data` of the run"),
        "{refused}"
    );
    run.kill().unwrap();
    run.wait().unwrap();
    let _ = sandbox.execute(&["rm", "latest"]).exits(0);
    let runs = sandbox.execute(&["ls"]).exits(0).stdout;
    assert!(runs.starts_with("no runs"), "{runs}");
}

#[test]
fn what_cannot_be_pinned_is_told() {
    let sandbox = one_training();
    let refuse = |arguments: &[&str], part: &str| {
        let stderr = sandbox.execute(arguments).exits(2).stderr;
        assert!(stderr.contains(part), "{stderr}");
    };
    refuse(&["gc"], "holds no store");
    refuse(&["pin"], "holds no store");
    let _ = sandbox.run_json(&["--only", "data"]);
    refuse(
        &["pin", "nonesuch"],
        "nothing in the store is called `nonesuch`",
    );
    refuse(
        &["pin", "latest", "--as", "a/b"],
        "cannot be the name of a pin",
    );
    for (label, meaning) in [
        ("latest", "it stands for the latest run of all"),
        ("small", "the latest run of the pipeline of that name"),
        ("0123abcd", "the beginning of a hash"),
    ] {
        refuse(&["pin", "latest", "--as", label], meaning);
    }
    refuse(&["unpin", "latest"], "nothing is pinned as `latest`");
    refuse(&["gc", "--keep-last", "0"], "invalid value");
    let pins = sandbox.execute(&["pin"]).exits(0).stdout;
    assert_eq!(pins, "nothing is pinned\n");
}

#[test]
fn what_a_plugin_nested_thousands_deep_stops_neither_a_run_nor_a_collection() {
    let sandbox = one_training();
    let run = sandbox.run_json(&[]);
    let key = run["stages"][1]["action"].as_str().unwrap();
    // In memory where that can be: removing thousands of folders from a disk takes long.
    let memory = Path::new("/dev/shm");
    let other = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let other = other.unwrap();
    let store = ["--store", other.path().to_str().unwrap()];
    let collect = |arguments: &[&str]| sandbox.execute(&[arguments, &store].concat()).exits(0);
    let scratch = other.path().join("scratch").join(key);
    nest(&scratch.join("tmp"));
    let _ = sandbox.run(&store).exits(0);
    assert!(!scratch.exists());
    nest(&scratch);
    let garbage = collect(&["gc", "--grace", "0s", "--dry-run", "--json"]).json();
    assert_eq!(removed(&garbage, "scratch"), 1);
    assert_eq!(removed(&collect(&ALL).json(), "scratch"), 1);
    assert!(!scratch.exists());
    // Nor does a folder that a plugin made and its user may not read.
    fs::create_dir_all(scratch.join("closed/inner")).unwrap();
    fs::set_permissions(scratch.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let _ = collect(&ALL);
    assert!(!scratch.exists());
}

/// Makes folders, each in the one before, far beyond the length of any path.
fn nest(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut here = openat(CWD, folder, flags, Mode::empty()).unwrap();
    for _ in 0..3000 {
        mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = openat(&here, "d", flags, Mode::empty()).unwrap();
    }
}

#[test]
fn objects_are_read_by_those_alone_whom_the_mask_allows() {
    let sandbox = one_training();
    let program = sandbox.command(&["run", "pipeline.toml", "--only", "data"]);
    let mut masked = Command::new("sh");
    masked.args(["-c", "umask 077 && exec \"$@\"", "sh"]);
    masked.arg(program.get_program()).args(program.get_args());
    masked.current_dir(sandbox.path(""));
    assert!(masked.output().unwrap().status.success());
    let objects = fs::read_dir(sandbox.path("artifacts/objects")).unwrap();
    let objects = objects.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
    let modes: BTreeSet<_> = objects
        .map(|object| object.unwrap().metadata().unwrap().permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, BTreeSet::from([0o400]));
}

#[test]
fn a_store_behind_a_link_that_leads_nowhere_is_refused() {
    let sandbox = one_training();
    symlink(sandbox.path("nowhere"), sandbox.path("link")).unwrap();
    for arguments in [
        &["run", "pipeline.toml", "--store", "link"][..],
        &["run", "pipeline.toml", "--store", "link/below"],
        &["audit", "--store", "link"],
    ] {
        let refused = sandbox.execute(arguments).exits(2).stderr;
        assert!(refused.contains("which is not there"), "{refused}");
    }
}

#[test]
fn a_killed_run_loses_neither_results_nor_progress() {
    let sandbox = one_training();
    let long = ["--set", "train.epochs=1000"];
    let mut run = sandbox.start(&long);
    wait_for_checkpoint(&sandbox);
    let beside = sandbox
        .execute(&["gc", "--grace", "0s", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        removed(&beside, "results") + removed(&beside, "scratch"),
        0,
        "it is in use"
    );
    run.kill().unwrap();
    run.wait().unwrap();

    let garbage = sandbox.execute(&["gc", "--json"]).exits(0).json();
    assert_eq!(
        removed(&garbage, "results") + removed(&garbage, "scratch"),
        0
    );
    assert!(has_checkpoint(&sandbox));
    // The worker of the killed run may take a moment to follow it.
    thread::sleep(Duration::from_secs(1));
    let garbage = sandbox.execute(&ALL).exits(0).json();
    assert_eq!(
        (removed(&garbage, "results"), removed(&garbage, "scratch")),
        (2, 1)
    );
    assert_eq!(outcomes(&sandbox.run_json(&[])), ["ran"; 4]);
}

fn wait_for_checkpoint(sandbox: &Sandbox) {
    let begun = Instant::now();
    while !has_checkpoint(sandbox) {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "no checkpoint came"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

fn has_checkpoint(sandbox: &Sandbox) -> bool {
    let folders = fs::read_dir(sandbox.path("artifacts/scratch"))
        .into_iter()
        .flatten();
    let files = folders
        .flatten()
        .filter_map(|folder| fs::read_dir(folder.path()).ok());
    let mut names = files.flatten().flatten().map(|file| file.file_name());
    names.any(|name| name.to_string_lossy().starts_with("checkpoint-"))
}

#[test]
fn a_collection_beside_runs_loses_nothing() {
    let sandbox = one_training();
    let _ = sandbox.run_json(&["--only", "data"]);
    let ended = AtomicBool::new(false);
    let collections = thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut collections = (0, 0);
            while !ended.load(Ordering::Relaxed) {
                let garbage = sandbox.execute(&ALL).exits(0).json();
                collections.0 += 1;
                collections.1 += removed(&garbage, "objects");
            }
            collections
        });
        let runs: Vec<_> = ["one", "two"]
            .into_iter()
            .map(|name| {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    for epochs in [1, 2, 1, 3] {
                        let epochs = format!("train.epochs={epochs}");
                        let file = format!("{name}.toml");
                        let text = fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
                        let text = text.replace("name = \"small\"", &format!("name = \"{name}\""));
                        fs::write(sandbox.path(&file), text).unwrap();
                        let run = sandbox.execute(&["run", &file, "--set", &epochs, "--json"]);
                        let run = run.exits(0).json();
                        assert_eq!(run["outcome"], "complete");
                    }
                })
            })
            .collect();
        let ended_well: Vec<_> = runs.into_iter().map(|run| run.join().is_ok()).collect();
        ended.store(true, Ordering::Relaxed);
        assert_eq!(ended_well, [true; 2]);
        collector.join().unwrap()
    });
    println!(
        "{} collections removed {} objects",
        collections.0, collections.1
    );
    assert!(collections.0 > 4 && collections.1 > 0, "{collections:?}");
    let found = check_store(&sandbox.path("artifacts"));
    assert!(found.runs.len() >= 2, "each pipeline's last run is there");
}
