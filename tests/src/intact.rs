//! A small check of a store, independent of the auditor: everything that a result or a run refers
//! to is there and right.

use std::path::Path;

use assay_core::{ActionKey, RunHash};
use assay_store::Store;

/// The results and runs of a store, which refer to all its other data.
#[derive(Debug, PartialEq, Eq)]
pub struct Vouching {
    /// The actions that have results, and how many.
    pub results: Vec<(ActionKey, usize)>,
    /// The runs.
    pub runs: Vec<RunHash>,
}

/// Reads every byte that a result or a run of the store refers to, and fails unless all of it is
/// there and right. A folder that is not a store yet has neither.
#[track_caller]
pub fn check_store(root: &Path) -> Vouching {
    let mut found = Vouching {
        results: Vec::new(),
        runs: Vec::new(),
    };
    if !root.join("format").exists() {
        return found;
    }
    let store = Store::open_existing(root).unwrap();
    for key in store.action_keys().unwrap() {
        let results = store.results(key).unwrap();
        store.action(key).unwrap();
        for result in &results {
            let artifact = store.artifact(result.artifact).unwrap();
            for file in artifact.files.values() {
                assert!(store.contains(file.object, file.size).unwrap());
                store.verify(file.object).unwrap();
            }
            if let Some(log) = result.log {
                store.verify(log).unwrap();
            }
        }
        found.results.push((key, results.len()));
    }
    for (_, hash) in store.runs().unwrap() {
        let run = store.run(hash).unwrap();
        store.verify(run.file).unwrap();
        for stage in run.stages {
            if let Some(key) = stage.action {
                store.action(key).unwrap();
            }
            if let Some(artifact) = stage.artifact {
                assert!(store.is_intact(artifact).unwrap());
            }
        }
        found.runs.push(hash);
    }
    found
}
