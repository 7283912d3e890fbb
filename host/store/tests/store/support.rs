//! Small makers of stores, actions and results. Nothing here asserts but [`check_artifact`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assay_core::{Action, ActionKey, ActionResult, ArtifactHash, Limits, StageKind};
use assay_store::Store;
use tempfile::TempDir;

/// A new store and the folder that goes away with it.
pub(crate) fn new_store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("artifacts")).unwrap();
    (folder, store)
}

pub(crate) fn action(seed: u64) -> Action {
    Action {
        kind: StageKind::Train,
        revision: 1,
        parameters: [("seed".to_owned(), seed.into())].into_iter().collect(),
        inputs: BTreeMap::new(),
        plugin: None,
        environment: None,
    }
}

pub(crate) fn result(action: ActionKey, artifact: ArtifactHash, started_ms: u64) -> ActionResult {
    ActionResult {
        action,
        artifact,
        started_ms,
        duration_ms: 1,
        peak_memory: 0,
        threads: None,
        card: None,
        at_once: None,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        log: None,
        containment: None,
        limits: Limits::default(),
        continued_from: None,
        epoch_ms: Vec::new(),
        multiply_adds: None,
    }
}

/// Writes the files to the action's scratch folder and commits them.
pub(crate) fn put_artifact(
    store: &Store,
    key: ActionKey,
    files: &BTreeMap<String, Vec<u8>>,
) -> ArtifactHash {
    let scratch = store.scratch(key).unwrap();
    let files = files.iter().map(|(name, bytes)| {
        let path = scratch.join(name);
        fs::write(&path, bytes).unwrap();
        (name.clone(), (path, "application/octet-stream".to_owned()))
    });
    store.commit_artifact(files.collect()).unwrap()
}

/// Executes the action with this seed, whatever the store holds. What it leaves depends on the
/// seed and `size`, in bytes, of its larger files alone.
pub(crate) fn execute(store: &Store, seed: u64, size: usize) -> (ActionKey, ArtifactHash) {
    let key = store.put_action(&action(seed)).unwrap();
    let artifact = put_artifact(store, key, &files(seed, size));
    let mut result = result(key, artifact, 1_000 + seed);
    result.log = Some(store.put_bytes(&pattern(!seed, size)).unwrap());
    store.commit_result(&result).unwrap();
    store.clear_scratch(key).unwrap();
    (key, artifact)
}

/// A small file, one of `size` bytes, and one that all seeds share.
pub(crate) fn files(seed: u64, size: usize) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("metrics.csv".to_owned(), format!("seed,{seed}\n").into()),
        ("weights".to_owned(), pattern(seed, size)),
        ("licence".to_owned(), b"the same for all".to_vec()),
    ])
}

fn pattern(seed: u64, size: usize) -> Vec<u8> {
    seed.to_le_bytes().repeat(size.div_ceil(8))
}

/// Reads every byte of the artifact.
pub(crate) fn check_artifact(store: &Store, hash: ArtifactHash) {
    for (name, file) in &store.artifact(hash).unwrap().files {
        assert!(store.contains(file.object, file.size).unwrap(), "{name}");
        store.verify(file.object).unwrap();
    }
}

/// Puts other bytes where a read-only file is.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Every file below a folder.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(walk(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}
