//! Garbage collection: what it removes and keeps, beside other processes and when stopped at any
//! moment.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use assay_core::graph::Node;
use assay_core::{ActionKey, ArtifactHash, Run, RunHash, RunStage, StageOutcome};
use assay_store::{Garbage, GarbageKind, Retention, Store, StoreError};
use tempfile::TempDir;

use crate::processes::{check_results, given_count, given_store, start_again};
use crate::support::{action, check_artifact, execute, replace, walk};

/// Bytes of an artifact's larger file.
const SIZE: usize = 1 << 10;

const HOUR: Duration = Duration::from_hours(1);

/// Results are from the seventies; only a long grace finds them young.
fn old(keep_last: Option<usize>) -> Retention {
    Retention {
        keep_last,
        grace: HOUR,
        now_ms: 1_000_000_000_000,
    }
}

fn young() -> Retention {
    Retention {
        now_ms: 2_000,
        ..old(None)
    }
}

/// Records a run of these actions, which began at that time.
fn commit_run(store: &Store, started_ms: u64, seeds: &[u64]) -> RunHash {
    let stages = seeds.iter().map(|seed| {
        let key = action(*seed).document().unwrap().0;
        RunStage {
            name: format!("train/seed={seed}"),
            outcome: StageOutcome::Ran,
            action: Some(key),
            artifact: Some(store.cached(key).unwrap().unwrap().artifact),
        }
    });
    let run = Run {
        pipeline: "pipeline".to_owned(),
        file: store.put_bytes(b"name = \"pipeline\"").unwrap(),
        networks: None,
        figures: std::collections::BTreeMap::new(),
        overrides: Vec::new(),
        started_ms,
        duration_ms: 1,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        stages: stages.collect(),
    };
    store.commit_run(&run).unwrap()
}

/// A store in which nobody is at work any more, with what `fill` put there.
fn store_with<T>(fill: impl FnOnce(&Store) -> T) -> (TempDir, Store, T) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("artifacts");
    let filled = fill(&Store::open(&root).unwrap());
    (folder, Store::open_existing(&root).unwrap(), filled)
}

fn collect(store: &Store, retention: &Retention) {
    let collection = store.collection(retention).unwrap();
    collection.remove(|_| {}).unwrap();
}

fn going(garbage: &Garbage, sort: GarbageKind) -> u64 {
    garbage
        .amounts()
        .get(&sort)
        .map_or(0, |amount| amount.count)
}

fn is_cached(store: &Store, seed: u64) -> bool {
    let key = action(seed).document().unwrap().0;
    store.cached(key).unwrap().is_some()
}

/// Everything in the store by its path, less locks and lists of processes.
fn contents(store: &Store) -> BTreeSet<PathBuf> {
    let all = walk(store.root()).into_iter();
    let kept = all.filter(|path| {
        !["locks", "uses"]
            .iter()
            .any(|part| path.starts_with(store.root().join(part)))
    });
    kept.map(|path| path.strip_prefix(store.root()).unwrap().to_owned())
        .collect()
}

#[test]
fn only_what_nothing_reaches_goes() {
    let (folder, store, orphan) = store_with(|store| {
        for seed in 0..4 {
            execute(store, seed, SIZE);
        }
        commit_run(store, 9, &[0, 1]);
        store.put_bytes(b"nothing names this").unwrap()
    });
    let before = contents(&store);
    let garbage = store.garbage(&young()).unwrap();
    assert_eq!(
        (
            going(&garbage, GarbageKind::Results),
            garbage.young_results.count
        ),
        (0, 2)
    );
    let garbage = store.garbage(&old(None)).unwrap();
    assert_eq!(
        (
            going(&garbage, GarbageKind::Results),
            garbage.young_results.count
        ),
        (2, 0)
    );
    assert_eq!(contents(&store), before, "a look removes nothing");

    collect(&store, &young());
    assert!((0..4).all(|seed| is_cached(&store, seed)));
    assert!(matches!(
        store.verify(orphan),
        Err(StoreError::Missing { .. })
    ));
    drop(store);
    let store = Store::open_existing(folder.path().join("artifacts")).unwrap();
    collect(&store, &old(None));
    assert_eq!(
        [0, 1, 2, 3].map(|seed| is_cached(&store, seed)),
        [true, true, false, false]
    );
    assert_eq!(check_results(&store), 2);
    let garbage = store.garbage(&old(None)).unwrap();
    assert!(
        garbage
            .items
            .iter()
            .all(|item| item.kind() == GarbageKind::Locks),
        "{garbage:?}"
    );
}

#[test]
fn older_runs_are_forgotten_but_for_pinned_ones() {
    let (_folder, store, runs) = store_with(|store| {
        for seed in 0..4 {
            execute(store, seed, SIZE);
        }
        (0..4)
            .map(|seed| commit_run(store, 100 + seed, &[seed]))
            .collect::<Vec<_>>()
    });
    store.pin("first", Node::Run(runs[0])).unwrap();
    collect(&store, &old(Some(1)));
    let left: Vec<_> = store
        .runs()
        .unwrap()
        .into_iter()
        .map(|(_, run)| run)
        .collect();
    assert_eq!(left, [runs[0], runs[3]]);
    assert_eq!(
        [0, 1, 2, 3].map(|seed| is_cached(&store, seed)),
        [true, false, false, true]
    );

    assert!(store.unpin("first").unwrap() && !store.unpin("first").unwrap());
    let other = Store::open_existing(store.root()).unwrap();
    drop(store);
    collect(&other, &old(Some(1)));
    assert!(!is_cached(&other, 0));
    assert_eq!(check_results(&other), 1);
}

#[test]
fn pins_keep_actions_artifacts_and_objects() {
    let (_folder, store, (artifact, object)) = store_with(|store| {
        let (_, artifact) = execute(store, 1, SIZE);
        let (key, _) = execute(store, 2, SIZE);
        execute(store, 3, SIZE);
        let object = store.put_bytes(b"bytes that nothing names").unwrap();
        store.pin("an-action", Node::Action(key)).unwrap();
        (artifact, object)
    });
    store.pin("an-artifact", Node::Artifact(artifact)).unwrap();
    store.pin("an-object", Node::Object(object)).unwrap();
    collect(&store, &old(None));
    assert_eq!(
        [1, 2, 3].map(|seed| is_cached(&store, seed)),
        [true, true, false]
    );
    check_artifact(&store, artifact);
    store.verify(object).unwrap();
    assert_eq!(store.pins().unwrap().len(), 3);
}

#[test]
fn a_pin_needs_a_name_and_something_that_is_there() {
    let (_folder, store, object) = store_with(|store| store.put_bytes(b"here").unwrap());
    for label in ["", ".hidden", "a/b", "..", "ü", &"x".repeat(101)] {
        let refused = store.pin(label, Node::Object(object));
        assert!(
            matches!(refused, Err(StoreError::PinLabel { .. })),
            "{label}"
        );
    }
    let absent = Node::Run(RunHash::of(b"never"));
    assert!(matches!(
        store.pin("x", absent),
        Err(StoreError::Missing { .. })
    ));
    store.pin("x", Node::Object(object)).unwrap();
    store.pin("x", Node::Object(object)).unwrap();
    let other = Node::Artifact(ArtifactHash::from_bytes(*object.as_bytes()));
    assert!(matches!(
        store.pin("x", other),
        Err(StoreError::Pinned { .. })
    ));
    fs::write(store.root().join("pins/y"), "run away\n").unwrap();
    assert!(matches!(store.pins(), Err(StoreError::Foreign { .. })));
    assert!(matches!(
        store.collection(&young()),
        Err(StoreError::Foreign { .. })
    ));
}

#[test]
fn what_a_process_at_work_uses_stays_until_it_ends() {
    let (_folder, store, _) = store_with(|store| execute(store, 1, SIZE));
    let worker = Store::open(store.root()).unwrap();
    assert!(is_cached(&worker, 1));
    let object = worker.put_bytes(b"to be named later").unwrap();
    let key = worker.put_action(&action(7)).unwrap();
    let lock = worker.lock_action(key, false).unwrap().unwrap();
    let checkpoint = worker.scratch(key).unwrap().join("checkpoint");
    fs::write(&checkpoint, b"epoch 3").unwrap();
    let none = Retention {
        grace: Duration::ZERO,
        ..old(None)
    };
    collect(&store, &none);
    store.verify(object).unwrap();
    store.action(key).unwrap();
    assert!(checkpoint.exists() && is_cached(&worker, 1));
    assert!(
        worker.lock_action(key, false).unwrap().is_none(),
        "it is still locked"
    );

    // An action counts as at work while a worker holds its lock, even if its supervisor is dead.
    drop(worker);
    collect(&store, &none);
    assert!(checkpoint.exists());
    store.action(key).unwrap();
    assert!(matches!(
        store.verify(object),
        Err(StoreError::Missing { .. })
    ));
    drop(lock);
    collect(&store, &none);
    assert!(!checkpoint.exists());
    assert!(matches!(store.action(key), Err(StoreError::Missing { .. })));
}

#[test]
fn what_cannot_be_noted_keeps_collections_away() {
    let (_folder, store, _) = store_with(|store| execute(store, 0, SIZE));
    // No list can be made there, as on a disk that is full.
    let lists = store.root().join("uses");
    fs::remove_dir(&lists).unwrap();
    fs::write(&lists, "in the way").unwrap();
    let worker = Store::open_existing(store.root()).unwrap();
    assert!(is_cached(&worker, 0));
    fs::remove_file(&lists).unwrap();

    let (sender, ended) = channel();
    let collector = Store::open_existing(store.root()).unwrap();
    thread::spawn(move || {
        collect(&collector, &old(None));
        sender.send(()).unwrap();
    });
    let waited = ended.recv_timeout(Duration::from_millis(200));
    assert_eq!(waited, Err(RecvTimeoutError::Timeout));
    assert!(is_cached(&worker, 0));
    drop(worker);
    ended.recv().unwrap();
    assert!(!is_cached(&store, 0));
}

#[test]
fn a_store_whose_runs_cannot_be_read_keeps_every_result() {
    let (_folder, store, run) = store_with(|store| {
        execute(store, 1, SIZE);
        execute(store, 2, SIZE);
        commit_run(store, 5, &[1])
    });
    replace(&store.object_path(run.into()), b"{}");
    let garbage = store.garbage(&old(Some(1))).unwrap();
    assert_eq!(garbage.unreadable_runs, [run]);
    assert_eq!(
        (
            going(&garbage, GarbageKind::Runs),
            going(&garbage, GarbageKind::Results)
        ),
        (0, 0)
    );
}

#[test]
fn a_collection_that_is_stopped_at_any_moment_leaves_only_whole_results() {
    let fill = |store: &Store| {
        for seed in 0..3 {
            execute(store, seed, SIZE);
            commit_run(store, 100 + seed, &[seed]);
        }
        fs::write(
            store.scratch(ActionKey::of(b"given up")).unwrap().join("x"),
            b"x",
        )
        .unwrap();
    };
    let none = Retention {
        grace: Duration::ZERO,
        ..old(Some(1))
    };
    let (_folder, whole, ()) = store_with(fill);
    let count = whole.garbage(&none).unwrap().items.len();
    collect(&whole, &none);
    let expected = contents(&whole);
    assert!(count > 10, "{count}");
    for stop in 1..=count {
        let (_folder, store, ()) = store_with(fill);
        let collection = store.collection(&none).unwrap();
        let mut removed = 0;
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            let ended = collection.remove(|_| {
                removed += 1;
                assert!(removed < stop, "as if it were killed here");
            });
            ended.unwrap();
        }));
        assert!(stopped.is_err());
        drop(collection);
        assert!(check_results(&store) > 0);
        for (_, run) in store.runs().unwrap() {
            for stage in store.run(run).unwrap().stages {
                assert!(store.cached(stage.action.unwrap()).unwrap().is_some());
            }
        }
        let again = Store::open_existing(store.root()).unwrap();
        drop(store);
        collect(&again, &none);
        assert_eq!(contents(&again), expected, "after {stop} of {count}");
    }
}

/// Runs pipelines of a few actions as an engine does, and checks that nothing it relies on goes.
fn work(store: &Store, process: u64) {
    let mut random = process;
    for round in 0..12 {
        let mut seeds = BTreeSet::new();
        for _ in 0..3 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            seeds.insert(random >> 60);
        }
        for &seed in &seeds {
            let key = store.put_action(&action(seed)).unwrap();
            if store.cached(key).unwrap().is_none() {
                let _lock = store.lock_action(key, true).unwrap().unwrap();
                if store.cached(key).unwrap().is_none() {
                    execute(store, seed, SIZE);
                }
            }
        }
        let run = commit_run(
            store,
            1_000 * process + round,
            &Vec::from_iter(seeds.clone()),
        );
        for seed in seeds {
            let key = action(seed).document().unwrap().0;
            store.action(key).unwrap();
            check_artifact(store, store.cached(key).unwrap().unwrap().artifact);
        }
        store.run(run).unwrap();
    }
}

#[test]
fn collections_beside_processes_at_work_lose_nothing() {
    if let Some(store) = given_store() {
        return work(&store, given_count());
    }
    let (_folder, store, ()) = store_with(|_| ());
    let test = "collecting::collections_beside_processes_at_work_lose_nothing";
    let none = Retention {
        grace: Duration::ZERO,
        ..old(Some(1))
    };
    let mut collections = 0;
    let mut removed = 0;
    for generation in 0..3_u64 {
        let start = |process| start_again(test, store.root(), 10 * generation + process).spawn();
        let mut working: Vec<_> = (1..=3).map(|process| start(process).unwrap()).collect();
        while working
            .iter_mut()
            .any(|process| process.try_wait().unwrap().is_none())
        {
            let collection = store.collection(&none).unwrap();
            removed += going(collection.garbage(), GarbageKind::Objects);
            collection.remove(|_| {}).unwrap();
            collections += 1;
        }
        for mut process in working {
            assert!(process.wait().unwrap().success());
        }
    }
    println!("{collections} collections removed {removed} objects");
    assert!(collections > 3 && removed > 0, "{collections}, {removed}");
    collect(&store, &none);
    check_results(&store);
    assert_eq!(store.runs().unwrap().len(), 1);
    check_lists_are_gone(store.root());
}

fn check_lists_are_gone(root: &Path) {
    assert_eq!(walk(&root.join("uses")), Vec::<PathBuf>::new());
}
