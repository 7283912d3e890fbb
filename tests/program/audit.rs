//! `pipeline audit` from end to end: what it finds in a real store, what it says of it, and that
//! a run after `--fix` makes again what was damaged and no more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assay_skips::skip;
use assay_tests::Sandbox;
use serde_json::Value;

/// A sandbox with a run in its store, and what the run printed.
fn with_run() -> (Sandbox, Value) {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let run = sandbox.run_json(&[]);
    (sandbox, run)
}

pub(super) fn object(sandbox: &Sandbox, hash: &str) -> PathBuf {
    let (shard, rest) = hash.split_at(2);
    sandbox.path("artifacts/objects").join(shard).join(rest)
}

/// The file of what a stage gave: the path of its object.
pub(super) fn file_of(sandbox: &Sandbox, run: &Value, stage: &str, name: &str) -> PathBuf {
    let stages = run["stages"].as_array().unwrap();
    let stage = stages.iter().find(|known| known["name"] == stage).unwrap();
    let manifest = object(sandbox, stage["artifact"].as_str().unwrap());
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    object(sandbox, manifest["files"][name]["object"].as_str().unwrap())
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}

pub(super) fn flip(path: &Path) {
    rewrite(path, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    });
}

/// The names of the stages that ran.
fn ran(run: &Value) -> Vec<&str> {
    let stages = run["stages"].as_array().unwrap().iter();
    let ran = stages.filter(|stage| stage["outcome"] == "ran");
    ran.map(|stage| stage["name"].as_str().unwrap()).collect()
}

/// The names of the stages in a list of a finding.
fn names<'a>(finding: &'a Value, list: &str) -> BTreeSet<&'a str> {
    let stages = finding[list].as_array().unwrap().iter();
    stages
        .map(|stage| stage["stage"].as_str().unwrap())
        .collect()
}

#[test]
fn a_store_that_a_run_left_is_intact() {
    let (sandbox, _) = with_run();
    for arguments in [
        &["audit"][..],
        &["audit", "--all"],
        &["audit", "small", "latest:report"],
    ] {
        let audited = sandbox.execute(arguments).exits(0);
        assert!(
            audited.stdout.trim_end().ends_with(": intact"),
            "{audited:?}"
        );
        assert_eq!(audited.stderr, "");
    }
    let report = sandbox
        .execute(&["audit", "--all", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["intact"], true);
    assert_eq!(report["findings"], Value::Array(Vec::new()));
    let files = fs::read_dir(sandbox.path("artifacts/objects")).unwrap();
    let files = files.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
    assert_eq!(report["counts"]["objects"], files.count());
}

#[test]
fn damage_is_named_and_moved_and_the_next_run_makes_just_that_again() {
    let (sandbox, run) = with_run();
    let damages: [(&str, &str, &[&str]); 3] = [
        (
            "data",
            "train.arrow",
            &["train/bp/seed=1", "evaluate/bp/seed=1", "report"],
        ),
        (
            "train/bp/seed=1",
            "final.safetensors",
            &["evaluate/bp/seed=1", "report"],
        ),
        ("report", "table.parquet", &[]),
    ];
    for (stage, name, downstream) in damages {
        let path = file_of(&sandbox, &run, stage, name);
        flip(&path);

        let audited = sandbox.execute(&["audit"]).exits(1);
        for words in [
            &format!("the file `{name}`"),
            stage,
            "small (run",
            "pipeline audit --fix",
        ] {
            assert!(
                audited.stdout.contains(words),
                "{words}: {}",
                audited.stdout
            );
        }
        assert!(
            audited
                .stdout
                .lines()
                .all(|line| line.chars().count() <= 100),
            "{}",
            audited.stdout
        );
        let report = sandbox
            .execute(&["audit", "--fix", "--json"])
            .exits(1)
            .json();
        let [finding] = report["findings"].as_array().unwrap().as_slice() else {
            panic!("{report:#}");
        };
        assert_eq!(finding["fault"], "bytes");
        assert_eq!(names(finding, "stages"), BTreeSet::from([stage]));
        assert_eq!(
            names(finding, "downstream"),
            downstream.iter().copied().collect()
        );
        assert!(!path.exists());
        let to = sandbox
            .path("artifacts")
            .join(report["moved"][0]["to"].as_str().unwrap());
        let note: Value = serde_json::from_slice(&fs::read(to.join("note.json")).unwrap()).unwrap();
        assert_eq!(note["from"], finding["path"]);

        // Its stage runs, and since it comes to the same bytes, nothing after it.
        let again = sandbox.run_json(&[]);
        assert_eq!(ran(&again), [stage], "{name}");
        let audited = sandbox.execute(&["audit", "--all"]).exits(0);
        assert!(
            audited.stdout.contains("quarantine/ holds"),
            "{}",
            audited.stdout
        );
    }
}

#[test]
fn a_damaged_document_of_an_action_comes_back_without_running_it() {
    let (sandbox, run) = with_run();
    let train = &run["stages"][1];
    assert_eq!(train["kind"], "train");
    flip(&object(&sandbox, train["action"].as_str().unwrap()));
    let audited = sandbox.execute(&["audit", "--fix"]).exits(1);
    assert!(
        audited.stdout.contains("the document of an action"),
        "{}",
        audited.stdout
    );
    assert_eq!(ran(&sandbox.run_json(&[])), [""; 0]);
    let _ = sandbox.execute(&["audit"]).exits(0);
}

/// The records of an action.
fn records(sandbox: &Sandbox, key: &str) -> Vec<PathBuf> {
    let (shard, rest) = key.split_at(2);
    let folder = sandbox.path("artifacts/results").join(shard).join(rest);
    let records = fs::read_dir(folder).unwrap();
    records.map(|record| record.unwrap().path()).collect()
}

/// The document of an action, its records, and of each the log, the artifact and a file of that.
fn files_of_action(sandbox: &Sandbox, key: &str) -> Vec<PathBuf> {
    let mut files = vec![object(sandbox, key)];
    for path in records(sandbox, key) {
        let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let manifest = object(sandbox, record["artifact"].as_str().unwrap());
        let artifact: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
        let held = artifact["files"].as_object().unwrap().values().take(1);
        files.extend(held.map(|file| object(sandbox, file["object"].as_str().unwrap())));
        files.extend(record["log"].as_str().map(|log| object(sandbox, log)));
        files.extend([manifest, path]);
    }
    files
}

/// The key of the action that asked the plugin, which no stage of the run is.
fn describe_key(sandbox: &Sandbox, run: &Value) -> String {
    let stages = run["stages"].as_array().unwrap().iter();
    let known: BTreeSet<_> = stages
        .map(|stage| stage["action"].as_str().unwrap())
        .collect();
    let shards = fs::read_dir(sandbox.path("artifacts/results")).unwrap();
    let mut keys = shards.flat_map(|shard| {
        let shard = shard.unwrap();
        let folders = fs::read_dir(shard.path()).unwrap();
        let name = shard.file_name().into_string().unwrap();
        folders.map(move |folder| name.clone() + folder.unwrap().file_name().to_str().unwrap())
    });
    keys.find(|key| !known.contains(key.as_str())).unwrap()
}

#[test]
fn whatever_is_lost_or_damaged_a_run_after_fix_leaves_the_store_intact() {
    let (sandbox, run) = with_run();
    let describe = describe_key(&sandbox, &run);
    let results = sandbox.path("artifacts/results");
    let mut files = files_of_action(&sandbox, &describe);
    files.extend(files_of_action(
        &sandbox,
        run["stages"][3]["action"].as_str().unwrap(),
    ));
    let action = fs::read(object(&sandbox, &describe)).unwrap();
    let action: Value = serde_json::from_slice(&action).unwrap();
    files.push(object(&sandbox, action["plugin"]["hash"].as_str().unwrap()));
    let manifest = object(&sandbox, run["run"].as_str().unwrap());
    let text: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    files.push(object(&sandbox, text["file"].as_str().unwrap()));
    files.push(manifest);
    for (what, spoil) in [
        (
            "lost",
            &(|path: &Path| fs::remove_file(path).unwrap()) as &dyn Fn(&Path),
        ),
        ("damaged", &flip),
    ] {
        for path in &files {
            if fs::metadata(path).is_ok_and(|entry| entry.len() > 0) {
                spoil(path);
                let found = sandbox.execute(&["audit", "--fix"]);
                // Nothing names a record: one that is lost beside others, or of an action that no
                // run names, is missed by nobody.
                let may_be_silent = what == "lost" && path.starts_with(&results);
                let is_found = found.code == Some(1) || (may_be_silent && found.code == Some(0));
                assert!(is_found, "{what} {path:?}: {found:?}");
                let _ = sandbox.run(&[]).exits(0);
                let audited = sandbox.execute(&["audit"]);
                assert_eq!(audited.code, Some(0), "{what} {path:?}: {}", audited.stdout);
            }
        }
    }
}

#[test]
fn a_truncated_record_and_a_foreign_file_are_moved() {
    let (sandbox, run) = with_run();
    let key = run["stages"][1]["action"].as_str().unwrap();
    let record = records(&sandbox, key).remove(0);
    rewrite(&record, |bytes| bytes.truncate(9));
    fs::write(sandbox.path("artifacts/runs/notes.txt"), "mine").unwrap();
    for name in [&[b'n'; 255][..], b"\xff\xfe"] {
        let name = OsStr::from_bytes(name);
        fs::write(sandbox.path("artifacts/runs").join(name), "mine").unwrap();
    }
    let report = sandbox.execute(&["audit", "--json"]).exits(1).json();
    let faults: BTreeSet<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["fault"].as_str().unwrap())
        .collect();
    assert_eq!(faults, BTreeSet::from(["foreign", "record-name"]));
    let _ = sandbox.execute(&["audit", "--fix"]).exits(1);
    assert_eq!(ran(&sandbox.run_json(&[])), ["train/bp/seed=1"]);
    let _ = sandbox.execute(&["audit"]).exits(0);
}

#[test]
fn what_cannot_be_read_is_not_called_intact() {
    let (sandbox, run) = with_run();
    let path = file_of(&sandbox, &run, "report", "table.parquet");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        skip("this user may read any file");
        return;
    }
    let audited = sandbox.execute(&["audit", "--fix"]).exits(2);
    assert!(audited.stdout.contains("UNREADABLE"), "{}", audited.stdout);
    assert!(path.exists());
}

#[test]
fn every_verb_refuses_a_store_of_another_format_and_says_what_to_do() {
    let (sandbox, run) = with_run();
    let key = run["stages"][0]["action"].as_str().unwrap();
    let _ = sandbox
        .execute(&["bundle", "latest", "-o", "sound"])
        .exits(0);
    let format = sandbox.path("artifacts/format");
    for (text, advice) in [
        ("assay store 2\n", "update assay"),
        ("assay store 0\n", "an older version"),
        ("<html>", "no version of assay"),
    ] {
        fs::remove_file(&format).unwrap();
        fs::write(&format, text).unwrap();
        for arguments in [
            &["run", "pipeline.toml"][..],
            &["run", "pipeline.toml", "--dry-run"],
            &["exec", key],
            &["audit"],
            &["audit", "latest", "--fix"],
            &["audit", "latest", "--rerun"],
            &["show", "latest"],
            &["cat", key],
            &["ls"],
            &["lineage", "latest"],
            &["diff", "latest", "latest"],
            &["why", "pipeline.toml", "train"],
            &["status", "pipeline.toml"],
            &["bundle", "latest", "-o", "bundle"],
            &["unbundle", "sound"],
            &["gc"],
            &["pin", "latest"],
            &["unpin", "latest"],
            &["data", "show", "pipeline.toml"],
        ] {
            let refused = sandbox.execute(arguments).exits(2);
            assert!(
                refused.stderr.contains(advice),
                "{arguments:?}: {}",
                refused.stderr
            );
        }
        assert_eq!(fs::read_to_string(&format).unwrap(), text);
    }
}

#[test]
fn a_name_that_nothing_has_cannot_be_audited() {
    let (sandbox, _) = with_run();
    let refused = sandbox.execute(&["audit", "nothing"]).exits(2);
    assert!(
        refused.stderr.contains("nothing in the store is called"),
        "{}",
        refused.stderr
    );
    let refused = sandbox.execute(&["audit", "--store", "nowhere"]).exits(2);
    assert!(
        refused.stderr.contains("holds no store"),
        "{}",
        refused.stderr
    );
    assert!(!sandbox.path("nowhere").exists());
}
