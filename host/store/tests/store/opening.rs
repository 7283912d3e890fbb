use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, SystemTime};

use assay_skips::skip;
use assay_store::{Store, StoreError};

use crate::support::{execute, new_store};

#[test]
fn a_store_is_made_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a/b/artifacts");
    assert!(matches!(
        Store::open_existing(&root),
        Err(StoreError::NotAStore { root: named }) if named == root
    ));
    assert!(!root.exists(), "looking for a store makes nothing");

    let (key, _) = execute(&Store::open(&root).unwrap(), 1, 64);
    assert_eq!(fs::read(root.join("format")).unwrap(), b"assay store 1\n");
    for store in [Store::open(&root), Store::open_existing(&root)] {
        assert!(store.unwrap().cached(key).unwrap().is_some());
    }
}

#[test]
fn an_unknown_format_is_refused_and_left_alone() {
    let (_folder, store) = new_store();
    let format = store.root().join("format");
    for text in [
        "assay store 2\n",
        "",
        "assay store 1",
        &"x".repeat(1_000_000),
    ] {
        fs::remove_file(&format).unwrap();
        fs::write(&format, text).unwrap();
        for opened in [
            Store::open(store.root()),
            Store::open_existing(store.root()),
        ] {
            assert!(
                matches!(opened, Err(StoreError::UnknownFormat { .. })),
                "{text:.20}"
            );
        }
        assert_eq!(fs::read_to_string(&format).unwrap(), text);
    }
    for (text, advice) in [
        (
            "assay store 2",
            "a newer version of assay made it: update assay",
        ),
        ("assay store 0", "an older version of assay made it"),
        ("assay stor", "no version of assay writes that"),
    ] {
        fs::write(&format, format!("{text}\n")).unwrap();
        let message = Store::open(store.root()).unwrap_err().to_string();
        let expected = format!(
            "the store in `{}` has format `{text}`, and this version reads only `assay store 1`; \
             {advice}",
            store.root().display()
        );
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn several_may_make_a_store_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for seed in 0..4 {
                let root = folder.path().join("artifacts");
                scope.spawn(move || execute(&Store::open(root).unwrap(), seed, 64));
            }
        });
        let store = Store::open_existing(folder.path().join("artifacts")).unwrap();
        assert_eq!(store.action_keys().unwrap().len(), 4);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Store::open(&file).unwrap_err();
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
    assert!(matches!(error, StoreError::Io { .. }));
}

#[test]
fn a_store_that_may_only_be_read_is_read_and_says_what_it_cannot_write() {
    let (_folder, store) = new_store();
    let (key, _) = execute(&store, 1, 64);
    let temporary = store.root().join("tmp");
    fs::set_permissions(&temporary, Permissions::from_mode(0o555)).unwrap();
    if File::create(temporary.join("probe")).is_ok() {
        // Permissions do not bind the superuser.
        skip("this user may write to read-only folders");
        return;
    }
    let store = Store::open(store.root()).unwrap();
    assert!(store.cached(key).unwrap().is_some());
    let error = store.put_bytes(b"new").unwrap_err();
    assert!(matches!(error, StoreError::Io { path, .. } if path == temporary));
}

#[test]
fn only_abandoned_temporary_files_are_removed() {
    let (_folder, store) = new_store();
    let hour = Duration::from_hours(1);
    let make = |name: &str, modified| {
        let path = store.root().join("tmp").join(name);
        let file = File::create(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(modified))
            .unwrap();
        path
    };
    let now = SystemTime::now();
    let old = make("old", now - 25 * hour);
    let recent = make("recent", now - 23 * hour);
    let future = make("future", now + 25 * hour);
    Store::open_existing(store.root()).unwrap();
    assert!(old.exists(), "opening for reading writes nothing");
    Store::open(store.root()).unwrap();
    assert!(!old.exists());
    assert!(recent.exists());
    assert!(future.exists());
}
