use std::fs;
use std::time::{Duration, Instant};

use assay_core::{ActionKey, ArtifactHash, ObjectHash, canonical_json};
use assay_store::{Store, StoreError};

use crate::support::{action, execute, new_store, put_artifact, replace, result, walk};

/// The file of the only record of an action.
fn only_record(store: &Store, key: ActionKey) -> std::path::PathBuf {
    let key = key.to_string();
    let folder = store.root().join("results").join(&key[..2]).join(&key[2..]);
    let [record] = &walk(&folder)[..] else {
        panic!("more or less than one record in {}", folder.display());
    };
    record.clone()
}

#[test]
fn results_come_oldest_first_and_none_replaces_another() {
    let (_folder, store) = new_store();
    let key = store.put_action(&action(1)).unwrap();
    let artifacts = [1, 2].map(|byte| {
        let files = [("a".to_owned(), vec![byte])].into();
        put_artifact(&store, key, &files)
    });
    let mut results = Vec::new();
    for (started_ms, artifact) in [30, 10, 40, 10, 50, 9, 30, 20]
        .into_iter()
        .zip(artifacts.into_iter().cycle())
    {
        let mut result = result(key, artifact, started_ms);
        result.duration_ms = results.len() as u64;
        store.commit_result(&result).unwrap();
        store.commit_result(&result).unwrap();
        results.push(result);
    }
    results.sort_by_key(|result| {
        let record = canonical_json(result).unwrap();
        (result.started_ms, ObjectHash::of(&record))
    });
    assert_eq!(store.results(key).unwrap(), results);
    assert_eq!(store.cached(key).unwrap(), results.into_iter().next());
    assert_eq!(store.action_keys().unwrap(), [key]);
}

#[test]
fn an_action_without_results_is_not_cached() {
    let (_folder, store) = new_store();
    let key = store.put_action(&action(1)).unwrap();
    assert_eq!(store.results(key).unwrap(), []);
    assert_eq!(store.cached(key).unwrap(), None);
    assert_eq!(store.action_keys().unwrap(), []);
}

#[test]
fn the_keys_of_actions_with_results_are_listed_in_order() {
    let (_folder, store) = new_store();
    let mut keys: Vec<ActionKey> = (0..20).map(|seed| execute(&store, seed, 64).0).collect();
    keys.sort_unstable();
    let empty = ActionKey::of(b"died before its first record").to_string();
    fs::create_dir_all(
        store
            .root()
            .join("results")
            .join(&empty[..2])
            .join(&empty[2..]),
    )
    .unwrap();
    assert_eq!(store.action_keys().unwrap(), keys);

    let foreign = store.root().join("results/ab/notes");
    fs::create_dir_all(&foreign).unwrap();
    assert!(matches!(
        store.action_keys(),
        Err(StoreError::Foreign { path }) if path == foreign
    ));
}

#[test]
fn a_result_cannot_name_what_is_not_there() {
    let (_folder, store) = new_store();
    let key = store.put_action(&action(1)).unwrap();
    let artifact = put_artifact(&store, key, &[("a".to_owned(), vec![1])].into());
    let sound = result(key, artifact, 1);
    let unknown = ObjectHash::of(b"never put");

    let mut without_log = sound.clone();
    without_log.log = Some(unknown);
    let without_action = result(ActionKey::of(b"never put"), artifact, 1);
    for refused in [&without_log, &without_action] {
        assert!(matches!(
            store.commit_result(refused),
            Err(StoreError::Incomplete { object, .. }) if object == unknown
        ));
    }
    let without_artifact = result(key, ArtifactHash::of(b"never put"), 1);
    assert!(matches!(
        store.commit_result(&without_artifact),
        Err(StoreError::Missing { .. })
    ));
    let file = ObjectHash::of(&[1]);
    fs::remove_file(store.object_path(file)).unwrap();
    assert!(matches!(
        store.commit_result(&sound),
        Err(StoreError::Incomplete { object, .. }) if object == file
    ));
    assert_eq!(store.action_keys().unwrap(), []);
}

#[test]
fn a_result_whose_artifact_is_damaged_gives_way_to_the_next() {
    let (_folder, store) = new_store();
    let key = store.put_action(&action(1)).unwrap();
    let first = put_artifact(&store, key, &[("a".to_owned(), vec![1])].into());
    let second = put_artifact(&store, key, &[("a".to_owned(), vec![2])].into());
    store.commit_result(&result(key, first, 1)).unwrap();
    store.commit_result(&result(key, second, 2)).unwrap();

    fs::remove_file(store.object_path(ObjectHash::of(&[1]))).unwrap();
    assert_eq!(store.cached(key).unwrap().unwrap().artifact, second);
    fs::remove_file(store.object_path(second.into())).unwrap();
    assert_eq!(store.cached(key).unwrap(), None);
    assert_eq!(store.results(key).unwrap().len(), 2);

    put_artifact(&store, key, &[("a".to_owned(), vec![1])].into());
    assert_eq!(store.cached(key).unwrap().unwrap().artifact, first);
}

#[test]
fn a_damaged_record_is_named_and_never_believed() {
    let (_folder, store) = new_store();
    let (key, _) = execute(&store, 1, 64);
    let path = only_record(&store, key);
    let whole = fs::read(&path).unwrap();
    for index in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[index] ^= 1;
        for damaged in [&flipped[..], &whole[..index]] {
            replace(&path, damaged);
            assert!(matches!(
                store.results(key),
                Err(StoreError::ForeignRecord { path: named, .. }) if named == path
            ));
            assert_eq!(store.cached(key).unwrap(), None);
        }
    }
    execute(&store, 1, 64);
    assert_eq!(fs::read(&path).unwrap(), whole, "the same record mends it");
}

#[test]
fn a_record_under_another_action_or_name_is_foreign() {
    let (_folder, store) = new_store();
    let (key, artifact) = execute(&store, 1, 64);
    let (other, _) = execute(&store, 2, 64);
    let (record, others) = (only_record(&store, key), only_record(&store, other));
    let misplaced = record.with_file_name(others.file_name().unwrap());
    let misnamed = record.with_file_name("record.json");
    let folder = record.with_file_name(format!("{artifact}.json"));

    fs::copy(&others, &misplaced).unwrap();
    assert!(
        matches!(store.results(key), Err(StoreError::ForeignRecord { path, .. }) if path == misplaced)
    );
    fs::remove_file(&misplaced).unwrap();
    fs::copy(&record, &misnamed).unwrap();
    assert!(
        matches!(store.results(key), Err(StoreError::ForeignRecord { path, .. }) if path == misnamed)
    );
    fs::remove_file(&misnamed).unwrap();
    fs::create_dir(&folder).unwrap();
    assert!(
        matches!(store.results(key), Err(StoreError::NotRegular { path, .. }) if path == folder)
    );

    assert_eq!(store.cached(key).unwrap().unwrap().artifact, artifact);
}

/// The price of a pipeline that has nothing to do: about 25 ms where it was first measured. The
/// bound is loose, since other programs may be using the machine, and still far below what one
/// flush or one process for each action would cost.
#[test]
fn a_thousand_cached_actions_are_found_in_no_time() {
    let (_folder, store) = new_store();
    // Each of 100 actions stands for ten.
    let keys: Vec<ActionKey> = (0..100).map(|seed| execute(&store, seed, 64).0).collect();
    let round = || {
        let begun = Instant::now();
        for key in keys.iter().cycle().take(1_000) {
            assert!(store.cached(*key).unwrap().is_some());
        }
        begun.elapsed()
    };
    let best = (0..20).map(|_| round()).min().unwrap();
    println!("1000 cached actions: {best:?}");
    assert!(best < Duration::from_millis(200), "{best:?}");
}
