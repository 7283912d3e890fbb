//! After a fix nothing wrong is left in place, nothing is gone, and what runs make again is all
//! that lacks.

use std::path::PathBuf;

use assay_audit::{Fault, Note, fix};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use crate::support::{Sample, config, remove, write};

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(Index),
    Delete,
}

#[test]
fn whatever_is_damaged_is_moved_and_what_runs_make_again_mends_it() {
    let sample = Sample::new();
    let damage = prop_oneof![any::<Index>().prop_map(Damage::Flip), Just(Damage::Delete)];
    let several = prop::collection::vec((any::<Index>(), damage), 1..4);
    let mut runner = TestRunner::new(config(300));
    let checked = runner.run(&several, |several| {
        for (file, damage) in &several {
            harm(&sample, *file, *damage);
        }
        let checked = check(&sample);
        sample.restore();
        checked
    });
    checked.unwrap();
}

fn check(sample: &Sample) -> Result<(), TestCaseError> {
    let mut wrong = sample.walk();
    wrong.retain(|path, bytes| sample.files[path] != *bytes);
    fix(&sample.store, &sample.audit()).unwrap();
    let kept = sample.walk();
    for (path, bytes) in &wrong {
        let is_kept = kept.values().any(|kept| kept == bytes);
        prop_assert!(is_kept, "{} is gone", path.display());
    }
    let report = sample.audit();
    for finding in &report.findings {
        let is_lack = matches!(
            finding.fault,
            Fault::Missing | Fault::NoResult { .. } | Fault::FolderGone
        );
        prop_assert!(is_lack, "{finding:#?}");
    }
    // Stand in for a run: make results, and put the files of the run, again.
    for (path, bytes) in &sample.files {
        let at = sample.root().join(path);
        let is_given = ["runs", "pins"].iter().any(|part| path.starts_with(part));
        if !is_given && !at.exists() {
            write(&at, bytes);
        }
    }
    let report = sample.audit();
    prop_assert!(report.findings.is_empty(), "{:#?}", report.findings);
    Ok(())
}

/// Damages a file, if it is still there.
fn harm(sample: &Sample, file: Index, damage: Damage) {
    let paths: Vec<_> = sample
        .files
        .keys()
        .filter(|path| !path.starts_with("format"))
        .collect();
    let path: PathBuf = sample.root().join(file.get(&paths));
    let Ok(mut bytes) = std::fs::read(&path) else {
        return;
    };
    remove(&path);
    if let Damage::Flip(at) = damage {
        if bytes.is_empty() {
            bytes.push(0);
        } else {
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
        }
        write(&path, &bytes);
    }
}

#[test]
fn a_lost_log_is_damage_once_and_then_known() {
    let sample = Sample::new();
    let result = sample
        .store
        .cached(sample.actions["train"])
        .unwrap()
        .unwrap();
    let log = result.log.unwrap();
    remove(&sample.store.object_path(log));
    let report = sample.audit();
    assert_eq!(report.findings.len(), 1);
    fix(&sample.store, &report).unwrap();
    let report = sample.audit();
    assert!(report.findings.is_empty());
    assert!(report.notes.iter().any(|note| matches!(
        note,
        Note::KnownLoss { object, .. } if *object == log
    )));
    assert!(
        sample
            .store
            .cached(sample.actions["train"])
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_lost_result_is_never_a_known_loss() {
    let sample = Sample::new();
    let result = sample
        .store
        .cached(sample.actions["train"])
        .unwrap()
        .unwrap();
    remove(&sample.store.object_path(result.artifact.into()));
    for _ in 0..2 {
        let report = sample.audit();
        assert_eq!(report.findings.len(), 1);
        fix(&sample.store, &report).unwrap();
    }
    assert_eq!(sample.store.cached(sample.actions["train"]).unwrap(), None);
}
