//! Contents of an index, which are the same whether or not it is read from the cache.

use std::fs;
use std::path::PathBuf;

use assay_audit::Index;
use assay_core::graph::Role;
use assay_core::{ObjectHash, StageKind};
use proptest::prelude::*;
use serde_json::json;

use crate::support::Sample;

/// All that an index says.
fn said(index: &Index) -> String {
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        index.runs(),
        index.actions(),
        index.artifacts(),
        index.objects(),
        index.unreadable()
    )
}

/// Fails unless reading with and without the cache comes to the same.
#[track_caller]
fn assert_remembered_right(sample: &Sample) {
    let all = said(&Index::read(&sample.store).unwrap());
    assert_eq!(said(&Index::read_cached(&sample.store).unwrap()), all);
    assert_eq!(said(&Index::read_cached(&sample.store).unwrap()), all);
}

/// The files that an index is remembered in.
fn remembered(sample: &Sample) -> Vec<PathBuf> {
    let entries = fs::read_dir(sample.store.root().join("cache")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 3, "{paths:?}");
    paths
}

#[test]
fn who_made_and_who_reads_an_artifact_is_known() {
    let sample = Sample::new();
    let stages = sample.stages(1);
    let run = sample.run("sample", 5, &stages);
    let index = Index::read(&sample.store).unwrap();
    let [data, train, evaluate] = &stages[..] else {
        panic!("three stages");
    };
    let producers: Vec<_> = index.producers(train.artifact).collect();
    assert_eq!(producers, [train.action]);
    let mut readers: Vec<_> = index.readers(data.artifact).collect();
    readers.sort_unstable();
    let mut expected = [(train.action, "dataset"), (evaluate.action, "dataset")];
    expected.sort_unstable();
    assert_eq!(readers, expected);
    assert_eq!(index.stages(train.action)[0].run, run);
    let file = Role::File {
        artifact: train.artifact,
        name: "weights.txt".to_owned(),
    };
    let roles: Vec<_> = index.roles(ObjectHash::of(b"weights 1")).collect();
    assert_eq!(roles, [&file]);
    assert_eq!(index.roles(ObjectHash::of(b"nothing")).count(), 0);
}

#[test]
fn what_comes_and_goes_is_noticed() {
    let sample = Sample::new();
    assert_remembered_right(&sample);
    let stages = sample.stages(1);
    assert_remembered_right(&sample);
    let run = sample.run("sample", 5, &stages);
    assert_remembered_right(&sample);
    Sample::settle();
    assert_remembered_right(&sample);
    // Another record in a folder that was settled.
    let other = sample.artifact("weights.txt", "others");
    sample.record(stages[1].action, other, 2000);
    assert_remembered_right(&sample);
    let index = Index::read_cached(&sample.store).unwrap();
    assert_eq!(index.actions()[&stages[1].action].results.len(), 2);
    Sample::settle();
    assert_remembered_right(&sample);
    // All results of an action, and a run.
    let key = stages[2].action.to_string();
    let folder = sample
        .store
        .root()
        .join("results")
        .join(&key[..2])
        .join(&key[2..]);
    fs::remove_dir_all(folder).unwrap();
    let marker = format!("{:013}-{run}", 5);
    fs::remove_file(sample.store.root().join("runs").join(marker)).unwrap();
    assert_remembered_right(&sample);
    let index = Index::read_cached(&sample.store).unwrap();
    assert!(index.runs().is_empty() && !index.actions().contains_key(&stages[2].action));
}

#[test]
fn what_could_not_be_read_is_tried_again() {
    let sample = Sample::new();
    let stages = sample.stages(1);
    sample.run("sample", 5, &stages);
    let path = sample.store.object_path(stages[1].artifact.into());
    let bytes = fs::read(&path).unwrap();
    sample.lose(stages[1].artifact);
    assert_remembered_right(&sample);
    let index = Index::read_cached(&sample.store).unwrap();
    assert_eq!(index.unreadable().len(), 1);
    assert!(index.objects().contains_key(&stages[1].artifact.into()));
    fs::write(path, bytes).unwrap();
    assert_remembered_right(&sample);
    assert!(
        Index::read_cached(&sample.store)
            .unwrap()
            .unreadable()
            .is_empty()
    );
}

#[test]
fn a_damaged_record_is_noted_every_time() {
    let sample = Sample::new();
    let stages = sample.stages(1);
    let key = stages[1].action.to_string();
    let folder = sample
        .store
        .root()
        .join("results")
        .join(&key[..2])
        .join(&key[2..]);
    let record = fs::read_dir(folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::remove_file(&record).unwrap();
    fs::write(&record, b"{}").unwrap();
    Sample::settle();
    assert_remembered_right(&sample);
    assert_eq!(
        Index::read_cached(&sample.store)
            .unwrap()
            .unreadable()
            .len(),
        1
    );
}

#[test]
fn a_store_that_cannot_remember_is_read_all_the_same() {
    let sample = Sample::new();
    sample.run("sample", 5, &sample.stages(1));
    let cache = sample.store.root().join("cache");
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, b"no folder").unwrap();
    assert_remembered_right(&sample);
}

#[test]
fn memory_of_another_store_says_nothing_of_this_one() {
    let (sample, other) = (Sample::new(), Sample::new());
    sample.run("sample", 5, &sample.stages(1));
    other.run("other", 6, &other.stages(2));
    Index::read_cached(&other.store).unwrap();
    for path in remembered(&other) {
        let to = sample
            .store
            .root()
            .join("cache")
            .join(path.file_name().unwrap());
        fs::copy(&path, to).unwrap();
    }
    assert_remembered_right(&sample);
}

#[test]
fn more_actions_of_one_kind_do_not_mix() {
    let sample = Sample::new();
    let same = sample.artifact("same.txt", "same");
    let one = sample.gave(StageKind::Train, &json!({ "seed": 1 }), &[], same);
    let two = sample.gave(StageKind::Train, &json!({ "seed": 2 }), &[], same);
    let index = Index::read_cached(&sample.store).unwrap();
    let mut expected = vec![one, two];
    expected.sort_unstable();
    assert_eq!(index.producers(same).collect::<Vec<_>>(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn damaged_memory_is_forgotten(file in 0..3_usize, place in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>()) {
        let sample = Sample::new();
        let stages = sample.stages(1);
        sample.run("sample", 5, &stages);
        Index::read_cached(&sample.store).unwrap();
        let path = &remembered(&sample)[file];
        let mut bytes = fs::read(path).unwrap();
        let place = place.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= flip;
        }
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
        assert_remembered_right(&sample);
    }
}
