//! Threads and processes that share a store, and processes that are killed. A test that needs
//! another process runs itself again with a role in its environment.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use assay_core::{ActionKey, ObjectHash};
use assay_store::Store;

use crate::support::{action, execute, files, new_store, put_artifact, result, walk};

const ROOT: &str = "ASSAY_STORE_TEST_ROOT";

/// Large enough for a process to be killed in the middle of a file.
const SIZE: usize = 512 << 10;

const COUNT: &str = "ASSAY_STORE_TEST_COUNT";

/// The store that this process was started to work on, if it was started by a test.
pub(crate) fn given_store() -> Option<Store> {
    env::var_os(ROOT).map(|root| Store::open(root).unwrap())
}

pub(crate) fn given_count() -> u64 {
    env::var(COUNT).unwrap().parse().unwrap()
}

/// This program again, running only the named test of this module on the store in `root`.
fn again(test: &str, root: &Path, count: u64) -> Command {
    start_again(&format!("processes::{test}"), root, count)
}

/// This program again, running only the named test on the store in `root`.
pub(crate) fn start_again(test: &str, root: &Path, count: u64) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(ROOT, root)
        .env(COUNT, count.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// Runs the actions with the seeds below `count` as an engine does: those that are not cached,
/// each under its lock.
fn run_pipeline(store: &Store, count: u64) {
    for seed in 0..count {
        let key = store.put_action(&action(seed)).unwrap();
        if store.cached(key).unwrap().is_some() {
            continue;
        }
        let _lock = store.lock_action(key, true).unwrap().unwrap();
        if store.cached(key).unwrap().is_none() {
            execute(store, seed, SIZE);
        }
    }
}

/// Looks up everything that a result names; returns how many results there are. Together
/// with [`check_objects`], this reads every byte of it.
pub(crate) fn check_results(store: &Store) -> usize {
    let keys = store.action_keys().unwrap();
    for key in &keys {
        store.action(*key).unwrap();
        let results = store.results(*key).unwrap();
        assert!(!results.is_empty());
        for result in results {
            assert!(store.is_intact(result.artifact).unwrap());
            store.verify(result.log.unwrap()).unwrap();
        }
    }
    keys.len()
}

/// Whatever lies under an object's name is the whole object, whether or not a record names it.
/// Objects that were found whole before are not read again.
fn check_objects(store: &Store, whole: &mut BTreeSet<PathBuf>) {
    let folder = store.root().join("objects");
    for path in walk(&folder) {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
        let object: ObjectHash = name.replace('/', "").parse().unwrap();
        if whole.insert(path) {
            store.verify(object).unwrap();
        }
    }
}

#[test]
fn threads_may_put_the_same_at_once() {
    let (_folder, store) = new_store();
    for seed in 0..10 {
        let key = store.put_action(&action(seed)).unwrap();
        thread::scope(|scope| {
            for thread in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    let own = ActionKey::of(&[thread]);
                    let artifact = put_artifact(store, own, &files(seed, SIZE));
                    let mut result = result(key, artifact, 7);
                    result.log = Some(store.put_bytes(b"epoch 1").unwrap());
                    store.commit_result(&result).unwrap();
                });
            }
        });
        assert_eq!(store.results(key).unwrap().len(), 1);
    }
    assert_eq!(check_results(&store), 10);
    check_objects(&store, &mut BTreeSet::new());
}

/// Others may have the file open, or be contained to that file alone.
#[test]
fn an_object_that_several_put_at_once_keeps_its_file() {
    let (_folder, store) = new_store();
    for round in 0..50_u64 {
        let bytes = vec![round as u8; SIZE];
        let files = thread::scope(|scope| {
            let put = || {
                let object = store.put_bytes(&bytes).unwrap();
                fs::metadata(store.object_path(object)).unwrap().ino()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(put)).collect();
            let files = threads.into_iter().map(|thread| thread.join().unwrap());
            files.collect::<BTreeSet<_>>()
        });
        assert_eq!(files.len(), 1);
    }
    assert_eq!(walk(&store.root().join("tmp")).len(), 0);
}

#[test]
fn processes_may_run_the_same_pipeline_at_once() {
    if let Some(store) = given_store() {
        return run_pipeline(&store, given_count());
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("artifacts");
    let test = "processes_may_run_the_same_pipeline_at_once";
    let children: Vec<Child> = (0..3)
        .map(|_| again(test, &root, 40).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = Store::open_existing(&root).unwrap();
    assert_eq!(check_results(&store), 40);
    for key in store.action_keys().unwrap() {
        assert_eq!(store.results(key).unwrap().len(), 1, "it ran once");
    }
    check_objects(&store, &mut BTreeSet::new());
    assert_eq!(walk(&root.join("scratch")).len(), 0);
    assert_eq!(walk(&root.join("tmp")).len(), 0);
}

#[test]
fn a_process_killed_at_any_moment_leaves_only_whole_results() {
    if let Some(store) = given_store() {
        return run_pipeline(&store, given_count());
    }
    let test = "a_process_killed_at_any_moment_leaves_only_whole_results";
    let (_folder, store) = new_store();
    // Kills come up to three times as late as a process needs to start and execute one action.
    let begun = Instant::now();
    assert!(again(test, store.root(), 1).status().unwrap().success());
    let latest = (3 * begun.elapsed()).min(Duration::from_millis(300));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut done = 0;
    let mut rounds_with_progress = 0;
    let mut whole = BTreeSet::new();
    for round in 0..64 {
        // Every fourth round has two processes, of which one lives a little longer.
        let count = if round % 4 == 0 { 2 } else { 1 };
        let children: Vec<Child> = (0..count)
            .map(|_| again(test, store.root(), u64::MAX).spawn().unwrap())
            .collect();
        for mut child in children {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            sleep(latest * ((random >> 48) as u32) / (1 << 16));
            child.kill().unwrap();
            assert!(!child.wait().unwrap().success(), "it died by itself");
        }
        check_objects(&store, &mut whole);
        let found = check_results(&store);
        assert!(found >= done, "a result vanished");
        rounds_with_progress += usize::from(found > done);
        done = found;
    }
    println!("{done} results, {rounds_with_progress} rounds with progress");
    assert!(rounds_with_progress > 10, "the kills came before any work");
    check_objects(&store, &mut BTreeSet::new());

    let count = done as u64 + 5;
    assert!(again(test, store.root(), count).status().unwrap().success());
    for seed in 0..count {
        let key = action(seed).document().unwrap().0;
        let artifact = store.cached(key).unwrap().unwrap().artifact;
        for (name, bytes) in files(seed, SIZE) {
            let object = store.artifact(artifact).unwrap().files[&name].object;
            assert_eq!(store.read(object).unwrap(), bytes);
        }
    }
}

#[test]
fn a_lock_is_held_by_one_and_given_up_when_dropped() {
    let (_folder, store) = new_store();
    let [one, other] = [ActionKey::of(b"one"), ActionKey::of(b"other")];
    let lock = store.lock_action(one, false).unwrap().unwrap();
    assert!(store.lock_action(one, false).unwrap().is_none());
    assert!(store.lock_action(other, false).unwrap().is_some());

    let file = lock.try_clone_file().unwrap();
    drop(lock);
    assert!(store.lock_action(one, false).unwrap().is_none());
    let waiting = thread::spawn({
        let store = store.clone();
        move || store.lock_action(one, true).unwrap().is_some()
    });
    drop(file);
    assert!(waiting.join().unwrap());
}

#[test]
fn a_lock_lives_as_long_as_the_worker_it_was_handed_to() {
    if given_store().is_some() {
        return sleep(Duration::from_mins(1));
    }
    let (_folder, store) = new_store();
    let key = ActionKey::of(b"an action");
    let lock = store.lock_action(key, false).unwrap().unwrap();
    let test = "a_lock_lives_as_long_as_the_worker_it_was_handed_to";
    let mut worker = again(test, store.root(), 0)
        .stdin(Stdio::from(lock.try_clone_file().unwrap()))
        .spawn()
        .unwrap();
    drop(lock);
    assert!(store.lock_action(key, false).unwrap().is_none());
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert!(store.lock_action(key, true).unwrap().is_some());
}

#[test]
fn scratch_survives_until_it_is_cleared() {
    let (_folder, store) = new_store();
    let key = ActionKey::of(b"an action");
    store.clear_scratch(key).unwrap();
    let checkpoint = store.scratch(key).unwrap().join("checkpoint");
    std::fs::write(&checkpoint, b"epoch 3").unwrap();
    let reopened = Store::open(store.root()).unwrap();
    assert_eq!(
        reopened.scratch(key).unwrap().join("checkpoint"),
        checkpoint
    );
    assert!(checkpoint.exists());
    reopened.clear_scratch(key).unwrap();
    assert!(!checkpoint.exists());
    assert!(!store.root().join("scratch").join(key.to_string()).exists());
}
