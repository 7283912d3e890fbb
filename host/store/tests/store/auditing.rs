//! Operations for an auditor: examining whatever lies in a place of the store, and moving it to
//! quarantine.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicU64, Ordering};

use assay_core::ObjectHash;
use assay_store::StoreError;
use proptest::prelude::*;

use crate::support::{execute, new_store, replace};

#[test]
fn files_of_every_size_are_read_to_their_last_byte() {
    let (_folder, store) = new_store();
    let piece = 256 << 10;
    for size in [
        0,
        1,
        piece - 1,
        piece,
        piece + 1,
        64 * piece - 1,
        64 * piece,
        97 * piece + 5,
    ] {
        let bytes: Vec<_> = (0..size).map(|at| (at % 251) as u8).collect();
        let object = store.put_bytes(&bytes).unwrap();
        let read = AtomicU64::new(0);
        let found = store
            .examine(object, &|more| {
                read.fetch_add(more, Ordering::Relaxed);
            })
            .unwrap();
        assert_eq!((found.hash, found.size), (object, size as u64));
        assert_eq!(read.into_inner(), size as u64);
        assert!(!found.writable);
    }
}

#[test]
fn what_lies_in_an_objects_place_is_told_as_it_is() {
    let (_folder, store) = new_store();
    let object = store.put_bytes(b"weights").unwrap();
    let path = store.object_path(object);
    replace(&path, b"other");
    let found = store.examine(object, &|_| ()).unwrap();
    assert_eq!((found.hash, found.size), (ObjectHash::of(b"other"), 5));
    assert!(found.writable);
    assert_eq!(
        store.examine_document(object).unwrap(),
        (found, b"other".to_vec())
    );

    fs::remove_file(&path).unwrap();
    assert!(matches!(
        store.examine(object, &|_| ()),
        Err(StoreError::Missing { .. })
    ));
    symlink(store.root().join("format"), &path).unwrap();
    assert!(matches!(
        store.examine(object, &|_| ()),
        Err(StoreError::NotRegular { .. })
    ));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(
        store.examine_document(object),
        Err(StoreError::NotRegular { .. })
    ));
}

#[test]
fn a_survey_lists_everything_and_what_belongs_nowhere() {
    let (_folder, store) = new_store();
    let (key, _) = execute(&store, 1, 64);
    let survey = store.survey();
    assert_eq!(survey.objects.len(), 6);
    assert_eq!(survey.records.len(), 1);
    assert_eq!(survey.records[0].0, key);
    let none = survey.foreign.len() + survey.strange.len() + survey.absent.len();
    assert_eq!(none + survey.unlisted.len(), 0);

    let foreign = [
        "objects/zz",
        "objects/ab/cd",
        "results/x",
        "results/ab/cd/e",
        "runs/notes",
    ];
    let strange = ["locks/mine", "scratch/mine", "thesis.pdf"];
    for path in foreign.iter().chain(&strange) {
        let path = store.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    fs::write(store.root().join(".DS_Store"), b"").unwrap();
    let survey = store.survey();
    let below = |paths: &[std::path::PathBuf]| -> Vec<_> {
        let below = paths
            .iter()
            .map(|path| path.strip_prefix(store.root()).unwrap());
        below
            .map(|path| path.to_str().unwrap().to_owned())
            .collect()
    };
    let expected = [
        "objects/ab/cd",
        "objects/zz",
        "results/ab/cd",
        "results/x",
        "runs/notes",
    ];
    let mut found = below(&survey.foreign);
    found.sort();
    assert_eq!(found, expected);
    let mut found = below(&survey.strange);
    found.sort();
    assert_eq!(found, strange);

    fs::remove_dir_all(store.root().join("runs")).unwrap();
    assert_eq!(below(&store.survey().absent), ["runs"]);
}

#[test]
fn what_is_moved_is_kept_with_a_note_of_where_it_was() {
    let (_folder, store) = new_store();
    let object = store.put_bytes(b"weights").unwrap();
    let path = store.object_path(object);
    replace(&path, b"other");
    let folder = store
        .quarantine_object(object, "it is damaged")
        .unwrap()
        .unwrap();
    assert!(!path.exists());
    let kept: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(kept.len(), 2);
    assert!(kept.contains(&b"other".to_vec()));

    let marker = store.root().join("runs/notes");
    fs::create_dir(&marker).unwrap();
    store.quarantine(&marker, "it does not belong").unwrap();
    store
        .quarantine_object(object, "it is lost")
        .unwrap()
        .unwrap();
    let notes = store.quarantined().unwrap();
    let said: Vec<_> = notes
        .iter()
        .map(|note| (note.object, note.why.as_str()))
        .collect();
    assert_eq!(said.len(), 3);
    for expected in [
        (Some(object), "it is damaged"),
        (None, "it does not belong"),
        (Some(object), "it is lost"),
    ] {
        assert!(said.contains(&expected), "{said:?}");
    }
    let from = path.strip_prefix(store.root()).unwrap();
    assert!(notes.iter().any(|note| note.from == from.to_str().unwrap()));
    assert!(store.put_bytes(b"weights").is_ok(), "its place is free");
}

#[test]
fn an_object_that_became_sound_goes_back() {
    let (_folder, store) = new_store();
    let object = store.put_bytes(b"weights").unwrap();
    assert_eq!(
        store.quarantine_object(object, "it was damaged").unwrap(),
        None
    );
    assert_eq!(store.read(object).unwrap(), b"weights");
    assert!(store.quarantined().unwrap().is_empty());
}

#[test]
fn permissions_that_let_someone_write_are_seen() {
    let (_folder, store) = new_store();
    let object = store.put_bytes(b"weights").unwrap();
    for (mode, writable) in [(0o444, false), (0o464, true), (0o644, true)] {
        fs::set_permissions(store.object_path(object), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(store.examine(object, &|_| ()).unwrap().writable, writable);
    }
}

proptest! {
    #[test]
    fn a_note_that_anyone_wrote_is_read_or_passed_over(bytes: Vec<u8>) {
        let (_folder, store) = new_store();
        let folder = store.root().join("quarantine/1-x");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("note.json"), bytes).unwrap();
        prop_assert!(store.quarantined().unwrap().is_empty());
    }
}
