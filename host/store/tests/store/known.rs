use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use assay_core::{ActionKey, ObjectHash};
use assay_store::Store;

use crate::support::{execute, new_store, put_artifact, result, walk};

/// After this long an entry that did not change is believed.
const SETTLE: Duration = Duration::from_millis(2_100);

/// A plan.
const PLAN: Option<&str> = Some("mnist");

/// The calls with which this thread has read something.
fn reads() -> u64 {
    let account = fs::read_to_string("/proc/thread-self/io").unwrap();
    let calls = account
        .lines()
        .find_map(|line| line.strip_prefix("syscr: "));
    calls.unwrap().parse().unwrap()
}

/// The calls that `work` reads something with, and what it gives.
fn counted<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let own = reads();
    let own = reads() - own;
    let before = reads();
    let value = work();
    (reads() - before - own, value)
}

/// A store with these actions, settled, and their results known.
fn known(seeds: std::ops::Range<u64>) -> (tempfile::TempDir, Store, Vec<ActionKey>) {
    let (folder, store) = new_store();
    let keys: Vec<_> = seeds.map(|seed| execute(&store, seed, 64).0).collect();
    sleep(SETTLE);
    look_up(&store, &keys);
    (folder, store, keys)
}

/// Looks all of these up, as a run does.
fn look_up(store: &Store, keys: &[ActionKey]) {
    let results = store.known_results(PLAN);
    for key in keys {
        assert_eq!(results.cached(*key).unwrap(), store.cached(*key).unwrap());
    }
    results.save(keys.iter().copied());
}

fn folder(store: &Store, key: ActionKey) -> PathBuf {
    let key = key.to_string();
    store.root().join("results").join(&key[..2]).join(&key[2..])
}

fn record(store: &Store, key: ActionKey) -> PathBuf {
    walk(&folder(store, key)).remove(0)
}

/// Writes one byte of a file, which stays where it is and keeps its size.
fn flip(path: &Path) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    let read_only = permissions.clone();
    #[allow(
        clippy::permissions_set_readonly_false,
        reason = "the folder is the test's own"
    )]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 1).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 1).unwrap();
    fs::set_permissions(path, read_only).unwrap();
}

#[test]
fn a_known_result_is_not_read_again() {
    let (_folder, store, keys) = known(0..3);
    let results = store.known_results(PLAN);
    for key in keys {
        let (reads, found) = counted(|| results.cached(key).unwrap());
        assert_eq!(reads, 0);
        let (reads, read) = counted(|| store.cached(key).unwrap());
        assert!(reads > 0);
        assert_eq!(found, read);
    }
}

/// Each change is made to an action of its own.
#[test]
fn a_change_of_the_store_is_seen() {
    let (_folder, store, keys) = known(0..9);
    let artifact = |at: usize| store.cached(keys[at]).unwrap().unwrap().artifact;
    let file = |at: usize| store.artifact(artifact(at)).unwrap().files["metrics.csv"].object;

    fs::remove_dir_all(folder(&store, keys[0])).unwrap();
    fs::remove_file(record(&store, keys[1])).unwrap();
    flip(&record(&store, keys[2]));
    fs::remove_file(store.object_path(artifact(3).into())).unwrap();
    flip(&store.object_path(artifact(4).into()));
    fs::remove_file(store.object_path(file(5))).unwrap();
    let other = store.object_path(file(6));
    fs::remove_file(&other).unwrap();
    fs::write(&other, b"longer than it was").unwrap();
    // An execution that began earlier.
    let earlier = put_artifact(&store, keys[7], &[("a".to_owned(), vec![1])].into());
    store.commit_result(&result(keys[7], earlier, 1)).unwrap();

    let results = store.known_results(PLAN);
    for (at, key) in keys.iter().enumerate() {
        let found = results.cached(*key).unwrap();
        assert_eq!(found, store.cached(*key).unwrap(), "{at}");
        assert_eq!(found.is_some(), at >= 7, "{at}");
    }
    assert_eq!(artifact(7), earlier);
    results.save(keys.iter().copied());
    look_up(&store, &keys);
}

/// A result that was passed over may come back without a change of anything that is looked at.
#[test]
fn a_result_that_others_come_before_is_not_kept() {
    let (_folder, store) = new_store();
    let (key, second) = execute(&store, 1, 64);
    let first = put_artifact(&store, key, &[("a".to_owned(), vec![1])].into());
    store.commit_result(&result(key, first, 1)).unwrap();
    let object = store.object_path(ObjectHash::of(&[1]));
    fs::remove_file(&object).unwrap();
    sleep(SETTLE);
    look_up(&store, &[key]);
    assert_eq!(store.cached(key).unwrap().unwrap().artifact, second);
    fs::write(&object, [1]).unwrap();
    let results = store.known_results(PLAN);
    assert_eq!(results.cached(key).unwrap().unwrap().artifact, first);
}

#[test]
fn a_result_that_has_just_been_written_is_not_kept() {
    let (_folder, store) = new_store();
    // A busy machine may need several attempts to look it up soon enough.
    let unsettled = (0..20).find_map(|seed| {
        let begun = Instant::now();
        let (key, _) = execute(&store, seed, 64);
        look_up(&store, &[key]);
        (begun.elapsed() < SETTLE / 2).then_some(key)
    });
    let results = store.known_results(PLAN);
    assert!(counted(|| results.cached(unsettled.unwrap()).unwrap()).0 > 0);
}

#[test]
fn each_plan_has_its_own_results_and_none_is_a_plan_too() {
    let (_folder, store, keys) = known(0..2);
    for (plan, is_known) in [(PLAN, true), (Some("cifar"), false), (None, false)] {
        let results = store.known_results(plan);
        let (reads, found) = counted(|| results.cached(keys[0]).unwrap());
        assert_eq!(reads == 0, is_known, "{plan:?}");
        assert!(found.is_some());
    }
    let files = || walk(&store.root().join("cache")).len();
    let before = files();
    let results = store.known_results(None);
    results.cached(keys[0]).unwrap();
    results.save(keys.clone());
    assert_eq!(files(), before);
    // Of a plan that has become shorter only the rest is kept.
    let results = store.known_results(Some("cifar"));
    for key in &keys {
        results.cached(*key).unwrap();
    }
    results.save([keys[1]]);
    let results = store.known_results(Some("cifar"));
    let kept = keys.iter().map(|key| {
        let (reads, _) = counted(|| results.cached(*key).unwrap());
        reads == 0
    });
    assert!(kept.eq([false, true]));
}

#[test]
fn a_damaged_cache_is_as_none() {
    let (_folder, store, keys) = known(0..2);
    let caches = walk(&store.root().join("cache"));
    let [cache] = &caches[..] else {
        panic!("{caches:?}");
    };
    let whole = fs::read(cache).unwrap();
    for length in 0..whole.len() {
        fs::remove_file(cache).unwrap();
        fs::write(cache, &whole[..length]).unwrap();
        let results = store.known_results(PLAN);
        assert!(results.cached(keys[0]).unwrap().is_some());
    }
    // Bytes that are no results, as an earlier form's may be.
    let name = cache.file_name().unwrap().to_str().unwrap();
    store.remember(name, &[255; 100]).unwrap();
    look_up(&store, &keys);
    let results = store.known_results(PLAN);
    assert_eq!(counted(|| results.cached(keys[1]).unwrap()).0, 0);
}
