use std::fs::{self, File, FileTimes};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use assay_core::ObjectHash;
use assay_store::{Store, StoreError};

use crate::support::new_store;

/// Longer than a file must have been left alone to be remembered.
const SETTLE: Duration = Duration::from_millis(2_200);

fn memory(store: &Store) -> PathBuf {
    store.root().join("cache/files.json")
}

/// Remembers a wrong hash for every file, which shows whether memory is believed.
fn falsify(store: &Store, right: &[u8]) {
    let text = fs::read_to_string(memory(store)).unwrap();
    let [right, wrong] = [right, b"wrong"].map(|bytes| ObjectHash::of(bytes).to_string());
    assert!(text.contains(&right));
    fs::remove_file(memory(store)).unwrap();
    fs::write(memory(store), text.replace(&right, &wrong)).unwrap();
}

#[test]
fn a_settled_file_is_read_again_only_when_it_changed() {
    let (folder, store) = new_store();
    let path = folder.path().join("plugin.so");
    fs::write(&path, b"one").unwrap();
    sleep(SETTLE);
    let mut hashes = store.source_hashes();
    assert_eq!(hashes.hash(&path).unwrap(), ObjectHash::of(b"one"));
    hashes.save();

    falsify(&store, b"one");
    let hash = store.source_hashes().hash(&path).unwrap();
    assert_eq!(hash, ObjectHash::of(b"wrong"), "it was not read again");

    // The same size and the same modification time: only the change time differs.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, b"two").unwrap();
    let times = FileTimes::new().set_modified(modified);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_times(times)
        .unwrap();
    let hash = store.source_hashes().hash(&path).unwrap();
    assert_eq!(hash, ObjectHash::of(b"two"));

    let replacement = folder.path().join("replacement");
    fs::write(&replacement, b"new").unwrap();
    fs::rename(&replacement, &path).unwrap();
    let hash = store.source_hashes().hash(&path).unwrap();
    assert_eq!(hash, ObjectHash::of(b"new"));
}

#[test]
fn a_file_that_was_just_written_is_not_remembered() {
    let (folder, store) = new_store();
    let path = folder.path().join("plugin.so");
    let mut hashes = store.source_hashes();
    for text in ["one", "two", "six"] {
        fs::write(&path, text).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        let times = FileTimes::new().set_modified(long_ago);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_times(times)
            .unwrap();
        assert_eq!(hashes.hash(&path).unwrap(), ObjectHash::of(text.as_bytes()));
    }
    hashes.save();
    assert!(
        !memory(&store).exists(),
        "nothing was learnt, nothing is written"
    );
}

#[test]
fn memory_that_cannot_be_read_counts_as_empty() {
    let (folder, store) = new_store();
    let path = folder.path().join("plugin.so");
    fs::write(&path, b"one").unwrap();
    sleep(SETTLE);
    for corrupt in [&b""[..], b"{", b"[]", b"{\"/a\":{}}", &b"[".repeat(100_000)] {
        let _ = fs::remove_file(memory(&store));
        fs::write(memory(&store), corrupt).unwrap();
        let mut hashes = store.source_hashes();
        assert_eq!(hashes.hash(&path).unwrap(), ObjectHash::of(b"one"));
        hashes.save();
        falsify(&store, b"one");
        let hash = store.source_hashes().hash(&path).unwrap();
        assert_eq!(hash, ObjectHash::of(b"wrong"), "it was remembered");
    }
}

#[test]
fn hashes_are_right_where_memory_cannot_be_kept() {
    let (folder, store) = new_store();
    let path = folder.path().join("plugin.so");
    fs::write(&path, b"one").unwrap();
    let _ = fs::remove_dir_all(memory(&store).parent().unwrap());
    fs::write(memory(&store).parent().unwrap(), b"no folder").unwrap();
    sleep(SETTLE);
    for _ in 0..2 {
        let mut hashes = store.source_hashes();
        assert_eq!(hashes.hash(&path).unwrap(), ObjectHash::of(b"one"));
        hashes.save();
    }
    assert!(!memory(&store).exists());
}

#[test]
fn a_source_may_be_a_link_to_a_file_but_nothing_else() {
    let (folder, store) = new_store();
    let path = folder.path().join("data");
    let link = folder.path().join("link");
    fs::write(&path, b"data").unwrap();
    symlink(&path, &link).unwrap();
    let mut hashes = store.source_hashes();
    assert_eq!(hashes.hash(&link).unwrap(), ObjectHash::of(b"data"));
    assert!(matches!(
        hashes.hash(folder.path()),
        Err(StoreError::NotRegular { .. })
    ));
    let missing = folder.path().join("missing");
    let error = hashes.hash(&missing).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot inspect `{}`", missing.display())
    );
}

/// A folder of two files that were left alone for long enough, relative to it.
fn tree(root: &std::path::Path) -> Vec<PathBuf> {
    let files: Vec<_> = ["a/one", "b"].map(PathBuf::from).into();
    fs::create_dir_all(root.join("a")).unwrap();
    for file in &files {
        fs::write(root.join(file), file.as_os_str().as_encoded_bytes()).unwrap();
    }
    sleep(SETTLE);
    files
}

#[test]
fn one_hash_of_many_files_stands_for_names_and_bytes() {
    let (folder, store) = new_store();
    let root = folder.path().join("images");
    let files = tree(&root);
    let mut hashes = store.source_hashes();
    let hash = hashes.hash_tree(&root, &files).unwrap();
    let copy = folder.path().join("copy");
    tree(&copy);
    assert_eq!(hashes.hash_tree(&copy, &files).unwrap(), hash);

    fs::write(root.join("b"), "c").unwrap();
    let changed = hashes.hash_tree(&root, &files).unwrap();
    assert_ne!(changed, hash, "other bytes of one size");
    assert_ne!(hashes.hash_tree(&root, &files[..1]).unwrap(), changed);
    fs::rename(root.join("b"), root.join("d")).unwrap();
    let renamed = [files[0].clone(), "d".into()];
    assert_ne!(hashes.hash_tree(&root, &renamed).unwrap(), changed);
    let error = hashes.hash_tree(&root, &files).unwrap_err();
    assert!(error.to_string().contains("images/b"), "{error}");
}

#[test]
fn many_files_are_read_again_only_when_one_changed() {
    let (folder, store) = new_store();
    let root = folder.path().join("images");
    let files = tree(&root);
    let mut hashes = store.source_hashes();
    let right = hashes.hash_tree(&root, &files).unwrap();
    hashes.save();

    let memory = store.root().join("cache/trees.json");
    let wrong = ObjectHash::of(b"wrong");
    let text = fs::read_to_string(&memory).unwrap();
    fs::remove_file(&memory).unwrap();
    fs::write(
        &memory,
        text.replace(&right.to_string(), &wrong.to_string()),
    )
    .unwrap();
    let mut hashes = store.source_hashes();
    assert_eq!(hashes.hash_tree(&root, &files).unwrap(), wrong, "not read");

    let modified = fs::metadata(root.join("b")).unwrap().modified().unwrap();
    fs::write(root.join("b"), "b").unwrap();
    let times = FileTimes::new().set_modified(modified);
    let file = File::options().write(true).open(root.join("b")).unwrap();
    file.set_times(times).unwrap();
    assert_eq!(hashes.hash_tree(&root, &files).unwrap(), right, "read");
}
