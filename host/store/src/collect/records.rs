//! Every record of every action, read once: how old it is, and what gave which artifact.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use assay_core::{ActionKey, ActionResult, ArtifactHash};

use crate::disk;
use crate::error::{At, StoreError, readable};
use crate::result::read_record;
use crate::store::Store;

/// The records of one action.
#[derive(Debug, Default)]
pub(super) struct ActionRecords {
    /// Those that can be read.
    pub(super) results: Vec<ActionResult>,
    /// All of them, with their sizes in bytes.
    pub(super) files: Vec<(PathBuf, u64)>,
    /// When the last one ended, in milliseconds since 1970 (UTC); of one that cannot be read, when
    /// its file was written.
    pub(super) ended_ms: u64,
}

/// The records of a store.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) by_action: BTreeMap<ActionKey, ActionRecords>,
    /// For each artifact the action that gave it first.
    pub(super) producers: HashMap<ArtifactHash, ActionKey>,
}

impl Records {
    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        let mut by_action = BTreeMap::new();
        let mut first = HashMap::<ArtifactHash, (u64, ActionKey)>::new();
        for key in store.action_keys()? {
            let records = ActionRecords::read(store, key)?;
            for result in &records.results {
                let candidate = (result.started_ms, key);
                let known = first.entry(result.artifact).or_insert(candidate);
                *known = (*known).min(candidate);
            }
            by_action.insert(key, records);
        }
        let producers = first.into_iter();
        let producers = producers.map(|(artifact, (_, key))| (artifact, key));
        Ok(Self {
            by_action,
            producers: producers.collect(),
        })
    }
}

impl ActionRecords {
    fn read(store: &Store, key: ActionKey) -> Result<Self, StoreError> {
        let mut records = Self::default();
        for path in store.record_paths(key)? {
            let metadata = fs::symlink_metadata(&path).at("inspect", &path)?;
            // No record, and nothing that the store may remove.
            if metadata.is_dir() {
                continue;
            }
            let ended_ms = match readable(read_record(key, path.clone()))? {
                Some((_, result)) => {
                    let ended_ms = result.started_ms.saturating_add(result.duration_ms);
                    records.results.push(result);
                    ended_ms
                }
                None => disk::written_ms(&metadata, &path)?,
            };
            records.ended_ms = records.ended_ms.max(ended_ms);
            records.files.push((path, metadata.len()));
        }
        Ok(records)
    }
}
