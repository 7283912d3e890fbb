//! Subjects that names stand for, and the errors for names that stand for nothing or for several.

use std::collections::BTreeMap;

use assay_audit::{AuditError, Index, Subject};
use assay_core::ObjectHash;
use assay_core::graph::Node;

use crate::support::Sample;

fn find(sample: &Sample, name: &str) -> Result<Subject, AuditError> {
    let index = Index::read(&sample.store).unwrap();
    Subject::find(&sample.store, &index, name)
}

#[test]
fn a_hash_and_the_beginning_of_one_stand_for_the_same() {
    let sample = Sample::new();
    let stages = sample.stages(1);
    let run = sample.run("sample", 5, &stages);
    let (action, artifact) = (stages[1].action, stages[1].artifact);
    for (hash, subject) in [
        (run.to_string(), Subject::Run(run)),
        (action.to_string(), Subject::Action(action)),
        (artifact.to_string(), Subject::Artifact(artifact)),
    ] {
        assert_eq!(find(&sample, &hash).unwrap(), subject);
        assert_eq!(find(&sample, &hash[..16]).unwrap(), subject);
    }
    let index = Index::read(&sample.store).unwrap();
    let record = index.actions().get(&action).unwrap().results[0].0;
    assert_eq!(
        find(&sample, &record.to_string()[..16]).unwrap(),
        Subject::Result { action, record }
    );
    let stray = sample.store.put_bytes(b"a stray").unwrap();
    let found = find(&sample, &stray.to_string()[..12]).unwrap();
    assert_eq!(found, Subject::Object(stray));
}

#[test]
fn a_pin_stands_for_what_it_keeps_unless_a_pipeline_has_its_name() {
    let sample = Sample::new();
    let stages = sample.stages(1);
    let run = sample.run("sample", 5, &stages);
    let latest = sample.run("sample", 6, &stages);
    let (action, artifact) = (stages[1].action, stages[1].artifact);
    let file = ObjectHash::of(b"weights 1");
    for (label, pinned) in [
        ("submitted", Node::Run(run)),
        ("trained", Node::Action(action)),
        ("state", Node::Artifact(artifact)),
        ("weights", Node::Object(file)),
        ("sample", Node::Run(run)),
    ] {
        sample.store.pin(label, pinned).unwrap();
    }
    for (label, subject) in [
        ("submitted", Subject::Run(run)),
        ("trained", Subject::Action(action)),
        ("state", Subject::Artifact(artifact)),
        ("weights", Subject::Object(file)),
        ("sample", Subject::Run(latest)),
    ] {
        assert_eq!(find(&sample, label).unwrap(), subject);
    }
    let stage = find(&sample, "submitted:train").unwrap();
    assert!(
        matches!(stage, Subject::Stage { run: of, .. } if of == run),
        "{stage:?}"
    );
}

#[test]
fn a_pipeline_stands_for_its_latest_run_and_parts_are_named_after_it() {
    let sample = Sample::new();
    let (old, new) = (sample.stages(1), sample.stages(2));
    sample.run("sample", 5, &old);
    let run = sample.run("sample", 6, &new);
    let other = sample.run("other", 7, &old);
    assert_eq!(find(&sample, "sample").unwrap(), Subject::Run(run));
    assert_eq!(find(&sample, "latest").unwrap(), Subject::Run(other));
    let stage = Subject::Stage {
        run,
        stage: "train".to_owned(),
        action: new[1].action,
        artifact: Some(new[1].artifact),
    };
    assert_eq!(find(&sample, "sample:train").unwrap(), stage);
    let object = ObjectHash::of(b"weights 2");
    let file = Subject::File {
        artifact: new[1].artifact,
        name: "weights.txt".to_owned(),
        object,
    };
    assert_eq!(find(&sample, "sample:train:weights.txt").unwrap(), file);
    let by_artifact = format!("{}:weights.txt", new[1].artifact.short());
    assert_eq!(find(&sample, &by_artifact).unwrap(), file);
    let by_action = format!("{}:weights.txt", new[1].action.short());
    assert_eq!(find(&sample, &by_action).unwrap(), file);
    for wrong in [
        "sample:test",
        "sample:train:none.txt",
        "sample:",
        "sample:train:weights.txt:x",
    ] {
        assert!(
            matches!(find(&sample, wrong), Err(AuditError::Unknown(_))),
            "{wrong}"
        );
    }
}

#[test]
fn a_pipeline_that_is_called_like_a_hash_is_a_pipeline() {
    let sample = Sample::new();
    let stages = sample.stages(1);
    let name = stages[1].action.short();
    let run = sample.run(&name, 5, &stages);
    assert_eq!(find(&sample, &name).unwrap(), Subject::Run(run));
    let longer = &stages[1].action.to_string()[..20];
    assert_eq!(
        find(&sample, longer).unwrap(),
        Subject::Action(stages[1].action)
    );
}

#[test]
fn what_cannot_be_a_name_is_refused() {
    let sample = Sample::new();
    sample.run("sample", 5, &sample.stages(1));
    for short in ["a", "abc"] {
        assert!(
            matches!(find(&sample, short), Err(AuditError::TooShort(_))),
            "{short}"
        );
    }
    let long = "0".repeat(65);
    for unknown in [
        "",
        ":",
        "ABCDEF",
        "0000000000000000",
        "../../etc/passwd",
        "ünknown",
        &long,
    ] {
        let found = find(&sample, unknown);
        assert!(
            matches!(found, Err(AuditError::Unknown(_))),
            "{unknown}: {found:?}"
        );
    }
}

#[test]
fn a_prefix_of_several_hashes_names_them_all() {
    let sample = Sample::new();
    let mut seen: BTreeMap<String, ObjectHash> = BTreeMap::new();
    // Two of some hundred hashes begin with the same four digits.
    let (one, other) = (0..)
        .find_map(|number: u32| {
            let bytes = number.to_le_bytes();
            let object = ObjectHash::of(&bytes);
            let other = seen.insert(object.to_string()[..4].to_owned(), object)?;
            Some((object, other))
        })
        .unwrap();
    for number in 0..u32::try_from(seen.len() + 1).unwrap() {
        sample.store.put_bytes(&number.to_le_bytes()).unwrap();
    }
    let Err(AuditError::Ambiguous { name, matches }) = find(&sample, &one.to_string()[..4]) else {
        panic!("nothing is ambiguous");
    };
    assert_eq!(name, one.to_string()[..4]);
    let matches: Vec<_> = matches.iter().map(|found| found.object).collect();
    assert!(matches.contains(&one) && matches.contains(&other));
    assert_eq!(
        find(&sample, &one.to_string()).unwrap(),
        Subject::Object(one)
    );
}

#[test]
fn a_document_that_is_gone_can_still_be_asked_about() {
    let sample = Sample::new();
    let stages = sample.stages(1);
    let run = sample.run("sample", 5, &stages);
    sample.lose(stages[1].action);
    sample.lose(stages[1].artifact);
    let (action, artifact) = (stages[1].action, stages[1].artifact);
    assert_eq!(
        find(&sample, &action.short()).unwrap(),
        Subject::Action(action)
    );
    assert_eq!(
        find(&sample, &artifact.short()).unwrap(),
        Subject::Artifact(artifact)
    );
    let file = find(&sample, "sample:train:weights.txt").unwrap_err();
    assert!(matches!(file, AuditError::Store(error) if error.is_damage()));
    sample.lose(run);
    assert_eq!(find(&sample, &run.short()).unwrap(), Subject::Run(run));
}
