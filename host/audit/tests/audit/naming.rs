//! Effects of damage, by the names that a person knows.

use assay_audit::{AuditReport, Fault, Finding, Index, Location, Note, Scope, Subject, audit, fix};
use assay_core::graph::Role;
use assay_core::{ActionKey, ActionResult, ObjectHash};

use crate::support::{Sample, remove, write};

fn stages(finding: &Finding) -> (Vec<String>, Vec<String>) {
    let names = |stages: &[assay_audit::AffectedStage]| {
        let mut names: Vec<_> = stages.iter().map(|stage| stage.stage.clone()).collect();
        names.dedup();
        names.sort();
        names.dedup();
        names
    };
    let affected = &finding.affected;
    (names(&affected.stages), names(&affected.downstream))
}

/// The file `one.bin` of what a stage gave.
fn file_of(sample: &Sample, stage: &str) -> ObjectHash {
    let result = sample.store.cached(sample.actions[stage]).unwrap().unwrap();
    sample.store.artifact(result.artifact).unwrap().files["one.bin"].object
}

fn finding(report: &AuditReport, place: impl Fn(&Location) -> bool) -> &Finding {
    let mut findings = report.findings.iter();
    let found = findings.find(|finding| place(&finding.location));
    found.unwrap_or_else(|| panic!("{report:#?}"))
}

fn flip(sample: &Sample, object: ObjectHash) {
    let path = sample.store.object_path(object);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    remove(&path);
    write(&path, &bytes);
}

#[test]
fn damage_names_the_stages_that_made_it_and_those_that_rest_on_it() {
    let sample = Sample::new();
    for (stage, downstream) in [
        ("data", vec!["evaluate", "report", "train"]),
        ("train", vec!["evaluate", "report"]),
        ("report", vec![]),
    ] {
        flip(&sample, file_of(&sample, stage));
        let report = sample.audit();
        let [finding] = report.findings.as_slice() else {
            panic!("{:#?}", report.findings);
        };
        assert!(matches!(finding.fault, Fault::Bytes { .. }));
        let (own, rest) = stages(finding);
        assert_eq!(
            (own, rest),
            (
                vec![stage.to_owned()],
                downstream.iter().map(ToString::to_string).collect()
            )
        );
        assert_eq!(finding.affected.runs.len(), 2);
        assert_eq!(report.runs[&sample.run].pipeline, "small");
        sample.restore();
    }
}

#[test]
fn an_audit_of_a_name_reads_what_it_rests_on_and_no_more() {
    let sample = Sample::new();
    let index = Index::read(&sample.store).unwrap();
    let subject = Subject::find(&sample.store, &index, "small:train").unwrap();
    let scope = [subject];
    let read = |sample: &Sample| audit(&sample.store, Scope::Subjects(&scope), &()).unwrap();
    assert!(read(&sample).findings.is_empty());
    assert!(read(&sample).counts.objects < sample.audit().counts.objects);
    for (stage, findings) in [("data", 1), ("train", 1), ("evaluate", 0), ("report", 0)] {
        flip(&sample, file_of(&sample, stage));
        assert_eq!(read(&sample).findings.len(), findings, "{stage}");
        sample.restore();
    }
}

#[test]
fn unnamed_objects_are_read_only_when_all_are() {
    let sample = Sample::new();
    flip(&sample, ObjectHash::of(b"nothing names this"));
    let named = audit(&sample.store, Scope::Named, &()).unwrap();
    assert!(named.findings.is_empty());
    assert_eq!(sample.audit().findings.len(), 1);
}

#[test]
fn results_that_differ_are_noted_and_no_damage() {
    let sample = Sample::new();
    let (train, data) = (sample.actions["train"], sample.actions["data"]);
    let other = sample.store.cached(data).unwrap().unwrap();
    sample
        .store
        .commit_result(&ActionResult {
            action: train,
            ..other
        })
        .unwrap();
    let report = sample.audit();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert!(report.notes.iter().any(|note| matches!(
        note,
        Note::Irreproducible { action, artifacts, stages }
            if *action == train && artifacts.len() == 2 && stages.len() == 2
    )));
}

#[test]
fn a_pin_keeps_only_what_may_come_again() {
    let sample = Sample::new();
    let pins = || -> Vec<_> { sample.store.pins().unwrap().into_keys().collect() };
    assert_eq!(pins(), ["bp", "submitted", "table", "trained"]);
    for gone in [sample.run.into(), sample.actions["train"].into()] {
        remove(&sample.store.object_path(gone));
    }
    let report = sample.audit();
    let run = finding(&report, |place| {
        *place == Location::Object(sample.run.into())
    });
    let role = Role::Pin("submitted".to_owned());
    assert!(run.affected.roles.contains(&role), "{run:#?}");
    fix(&sample.store, &report).unwrap();
    assert_eq!(pins(), ["bp", "table", "trained"]);

    write(&sample.root().join("pins/bp"), b"object of desire\n");
    let report = sample.audit();
    let pin = finding(
        &report,
        |place| matches!(place, Location::Path(path) if path.ends_with("pins/bp")),
    );
    assert!(
        matches!(pin.fault, Fault::Document { what: "pin", .. }),
        "{pin:#?}"
    );
    fix(&sample.store, &report).unwrap();
    assert_eq!(pins(), ["table", "trained"]);
}

#[test]
fn a_run_without_its_marker_is_noted() {
    let sample = Sample::new();
    let markers = sample.files.keys().filter(|path| path.starts_with("runs"));
    for marker in markers {
        remove(&sample.root().join(marker));
    }
    let report = sample.audit();
    assert!(report.findings.is_empty());
    assert!(report.notes.contains(&Note::UnnamedRun(sample.run)));
}

#[test]
fn an_action_of_a_later_version_is_noted() {
    let sample = Sample::new();
    let mut action = sample.store.action(sample.actions["data"]).unwrap();
    action.revision = 99;
    let key: ActionKey = sample.store.put_action(&action).unwrap();
    let result = sample
        .store
        .cached(sample.actions["data"])
        .unwrap()
        .unwrap();
    sample
        .store
        .commit_result(&ActionResult {
            action: key,
            ..result
        })
        .unwrap();
    let report = sample.audit();
    assert!(report.findings.is_empty());
    assert!(report.notes.iter().any(|note| matches!(
        note,
        Note::NewerRevision { action, revision: 99, .. } if *action == key
    )));
}
