//! Contents of an index, which are the same whether or not it is read from the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_audit::Index;
use assay_core::graph::{Node, Role, RunHead};
use assay_core::{ActionKey, ArtifactHash, ObjectHash, StageKind};
use assay_store::{Retention, Store};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rayon::prelude::*;
use serde_json::json;

use crate::support::Sample;

/// All that an index says.
fn said(index: &Index) -> String {
    // A size may have been summed before or not.
    let heads = index.run_heads().iter().map(|(run, head)| {
        let head = RunHead {
            size: None,
            ..head.clone()
        };
        (run, head, index.run_size(*run))
    });
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        heads.collect::<Vec<_>>(),
        index.runs(),
        index.actions(),
        index.artifacts(),
        index.pins(),
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
    assert_eq!(paths.len(), 2, "{paths:?}");
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
    assert_eq!(*index.roles(ObjectHash::of(b"weights 1")), [file]);
    assert!(index.roles(ObjectHash::of(b"nothing")).is_empty());
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
    let action = index.actions().get(&stages[1].action).unwrap();
    assert_eq!(action.results.len(), 2);
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

/// A store with a run, as it was remembered when its folders had settled.
fn settled() -> (Sample, Vec<ObjectHash>) {
    let sample = Sample::new();
    let stages = sample.stages(1);
    let run = sample.run("sample", 5, &stages);
    sample.stages(2);
    sample
        .store
        .pin("kept", Node::Artifact(stages[1].artifact))
        .unwrap();
    Sample::settle();
    Index::read_cached(&sample.store).unwrap();
    let named = Index::read(&sample.store).unwrap();
    let objects: Vec<_> = named.objects().keys().copied().collect();
    assert!(objects.contains(&run.into()));
    (sample, objects)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

/// Replaces a file that is remembered, or that was forgotten.
fn replace(path: &Path, bytes: &[u8]) {
    drop(fs::remove_file(path));
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_question_is_answered_as_from_the_documents() {
    let (sample, objects) = settled();
    let all = Index::read(&sample.store).unwrap();
    for object in objects {
        let cached = Index::read_cached(&sample.store).unwrap();
        assert_eq!(said_of(&cached, object), said_of(&all, object), "{object}");
        // More questions than are answered by searching.
        for _ in 0..9 {
            assert_eq!(said_of(&cached, object), said_of(&all, object), "{object}");
        }
    }
}

#[test]
fn what_was_read_is_not_read_again() {
    let (sample, _) = settled();
    let before = said(&Index::read_cached(&sample.store).unwrap());
    let stages = sample.stages(1);
    Sample::settle();
    assert_eq!(said(&Index::read_cached(&sample.store).unwrap()), before);
    let remembered = || {
        let files = remembered(&sample).into_iter();
        let written = files.map(|path| fs::metadata(path).unwrap().modified().unwrap());
        written.collect::<Vec<_>>()
    };
    let written = remembered();
    sample.lose(stages[2].artifact);
    assert_eq!(said(&Index::read_cached(&sample.store).unwrap()), before);
    assert_eq!(remembered(), written);
}

#[test]
fn damaged_memory_is_forgotten() {
    let (sample, objects) = settled();
    let all = Index::read(&sample.store).unwrap();
    let documents = fs::read(&remembered(&sample)[0]).unwrap();
    let file = (0..2_usize, any::<prop::sample::Index>());
    let damage = (any::<prop::sample::Index>(), 1..=255_u8, any::<bool>());
    let config = cases(100);
    let outcome = TestRunner::new(config).run(&(file, damage), |((file, asked), damage)| {
        let (place, flip, cut) = damage;
        let path = &remembered(&sample)[file];
        let mut bytes = fs::read(path).unwrap();
        let place = place.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= flip;
        }
        replace(path, &bytes);
        let object = *asked.get(&objects);
        let cached = Index::read_cached(&sample.store).unwrap();
        assert_eq!(said_of(&cached, object), said_of(&all, object));
        replace(path, &bytes);
        assert_remembered_right(&sample);
        // Either file is whole again.
        Index::read_cached(&sample.store).unwrap();
        let [of_documents, of_tables] = &remembered(&sample)[..] else {
            panic!("other files");
        };
        assert_eq!(fs::read(of_documents).unwrap(), documents);
        let bytes = fs::read(of_tables).unwrap();
        let (content, check) = bytes.split_at(bytes.len() - 32);
        assert_eq!(ObjectHash::of(content).as_bytes(), check);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn forged_memory_does_no_harm() {
    let (sample, objects) = settled();
    let paths = remembered(&sample);
    let whole: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let changes = prop::collection::vec(change, 0..8);
    let cut = (any::<bool>(), any::<prop::sample::Index>());
    let config = cases(200);
    let outcome =
        TestRunner::new(config).run(&(0..2_usize, changes, cut), |(file, changes, cut)| {
            let mut forged = whole[file][..whole[file].len() - 32].to_vec();
            if cut.0 {
                forged.truncate(cut.1.index(forged.len()));
            }
            for (place, byte) in changes {
                if !forged.is_empty() {
                    let place = place.index(forged.len());
                    forged[place] = byte;
                }
            }
            let check = ObjectHash::of(&forged);
            forged.extend(check.as_bytes());
            for ((path, whole), at) in paths.iter().zip(&whole).zip(0..) {
                replace(path, if at == file { &forged } else { whole });
            }
            let index = Index::read_cached(&sample.store).unwrap();
            for object in &objects {
                said_of(&index, *object);
            }
            said(&index);
            Ok(())
        });
    outcome.unwrap();
}

/// Everything below `results/` at this depth, in order.
fn results(sample: &Sample, depth: usize) -> Vec<PathBuf> {
    let mut paths = vec![sample.store.root().join("results")];
    for _ in 0..depth {
        let entries = paths.iter().flat_map(|path| fs::read_dir(path).unwrap());
        paths = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
    }
    paths
}

/// The last of the ways of [`change`].
const COLLECT: u8 = 13;

/// Changes a store in one of several ways.
fn change(sample: &mut Sample, number: u32, way: u8, at: prop::sample::Index) {
    if way == COLLECT {
        // The handle on the store holds whatever this process made.
        sample.store = Store::open(sample.store.root()).unwrap();
    }
    let sample = &*sample;
    let pick = |paths: &[PathBuf]| (!paths.is_empty()).then(|| at.get(paths).clone());
    let store = &sample.store;
    let runs = || {
        let entries = fs::read_dir(store.root().join("runs")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    match way {
        0 => drop(sample.stages(number)),
        1 => drop(sample.run("sample", number.into(), &sample.stages(number))),
        2 => {
            if let Some(folder) = pick(&results(sample, 2)) {
                fs::remove_dir_all(folder).unwrap();
            }
        }
        3 => {
            if let Some(record) = pick(&results(sample, 3)) {
                fs::remove_file(record).unwrap();
            }
        }
        4 => {
            if let Some(marker) = pick(&runs()) {
                fs::remove_file(marker).unwrap();
            }
        }
        5 => {
            let again = sample.artifact("again.txt", &number.to_string());
            let action = sample.stages(1)[at.index(3)].action;
            sample.record(action, again, number.into());
        }
        6 => {
            let stage = &sample.stages(number)[at.index(3)];
            store.unpin("one").unwrap();
            store.unpin("two").unwrap();
            store.pin("one", Node::Action(stage.action)).unwrap();
            store.pin("two", Node::Artifact(stage.artifact)).unwrap();
        }
        7 => drop(store.unpin(["one", "two", "three"][at.index(3)]).unwrap()),
        8 => {
            let hex = ObjectHash::of(&number.to_le_bytes()).to_string();
            fs::create_dir_all(store.root().join("results").join(&hex[..2]).join(&hex[2..]))
                .unwrap();
        }
        // A run that a pin alone names.
        9 => {
            let run = sample.run("pinned", number.into(), &sample.stages(number)[..2]);
            store.unpin("three").unwrap();
            store.pin("three", Node::Run(run)).unwrap();
            fs::remove_file(runs().pop().unwrap()).unwrap();
        }
        // The records of an action, below another.
        10 => {
            if let Some(folder) = pick(&results(sample, 2)) {
                let hex = ObjectHash::of(&number.to_be_bytes()).to_string();
                fs::rename(&folder, folder.with_file_name(&hex[2..])).unwrap();
            }
        }
        // A damaged record.
        11 => {
            if let Some(record) = pick(&results(sample, 3)) {
                fs::remove_file(&record).unwrap();
                fs::write(&record, b"{}").unwrap();
            }
        }
        12 => {
            if let Some(shard) = pick(&results(sample, 1)) {
                fs::remove_dir_all(shard).unwrap();
            }
        }
        COLLECT => {
            let retention = Retention {
                keep_last: Some(1),
                grace: Duration::ZERO,
                now_ms: u64::MAX,
            };
            let collection = store.collection(&retention).unwrap();
            collection.remove(|_| ()).unwrap();
        }
        other => panic!("no way {other}"),
    }
}

/// The answers of a fresh index about a hash, when it is asked nothing else.
fn said_of(index: &Index, object: ObjectHash) -> String {
    let action = ActionKey::from_bytes(*object.as_bytes());
    let artifact = ArtifactHash::from_bytes(*object.as_bytes());
    // All hashes that begin with the same two bytes.
    let end = |byte: u8| {
        let mut bytes = [byte; 32];
        bytes[..2].copy_from_slice(&object.as_bytes()[..2]);
        ObjectHash::from_bytes(bytes)
    };
    let range = end(0)..=end(255);
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        index.roles(object),
        index.objects_in(range.clone()),
        index.records_in(range),
        index.stages(action),
        index.producers(artifact).collect::<Vec<_>>(),
        index.first_producer(artifact),
        index.claimed_producers(artifact).collect::<Vec<_>>(),
        index.claimed_results(action),
        index.readers(artifact).collect::<Vec<_>>(),
    )
}

/// A change of a store, and a place in what there is to be changed or asked about.
type Change = (u8, prop::sample::Index);

/// Fails unless a cached index says what one says that was read from the store.
fn check(sample: &Sample, before: &[Change]) {
    let all = Index::read(&sample.store).unwrap();
    for _ in 0..2 {
        let cached = Index::read_cached(&sample.store).unwrap();
        assert_eq!(said(&cached), said(&all), "{before:?}");
    }
    let Some((_, at)) = before.last() else {
        return;
    };
    let objects: Vec<_> = all.objects().keys().copied().collect();
    if !objects.is_empty() {
        let object = *at.get(&objects);
        let cached = Index::read_cached(&sample.store).unwrap();
        assert_eq!(
            said_of(&cached, object),
            said_of(&all, object),
            "{before:?}"
        );
    }
}

#[test]
fn any_change_is_noticed() {
    // After each change folders have to settle, which takes seconds: many stores wait together.
    let stores: usize = std::env::var("STORES").map_or(32, |stores| stores.parse().unwrap());
    let change_of_one = (0..=COLLECT, any::<prop::sample::Index>());
    let changes = prop::collection::vec(prop::collection::vec(change_of_one, 5), stores);
    let config = ProptestConfig {
        max_shrink_iters: 0,
        ..cases(1)
    };
    let outcome = TestRunner::new(config).run(&changes, |changes| {
        let samples = changes
            .into_par_iter()
            .map(|changes| (Sample::new(), changes));
        let mut samples: Vec<_> = samples.collect();
        samples.par_iter().for_each(|(sample, _)| {
            sample.run("sample", 1, &sample.stages(1));
            check(sample, &[]);
        });
        for step in 1..=5 {
            samples.par_iter_mut().for_each(|(sample, changes)| {
                let before = &changes[..step];
                for (way, at) in &before[step - 1..] {
                    change(sample, step as u32 + 1, *way, *at);
                }
                check(sample, before);
            });
            Sample::settle();
            samples
                .par_iter()
                .for_each(|(sample, changes)| check(sample, &changes[..step]));
        }
        Ok(())
    });
    outcome.unwrap();
}
