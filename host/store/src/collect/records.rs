//! The files of all records: how large they are, and when their executions ended.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use assay_core::ActionKey;
use rayon::prelude::*;

use crate::disk;
use crate::error::{At, StoreError};
use crate::index::Index;
use crate::result::record_name;
use crate::store::Store;

/// The records of one action.
#[derive(Debug, Default)]
pub(super) struct ActionRecords {
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
}

impl Records {
    pub(super) fn read(store: &Store, index: &Index) -> Result<Self, StoreError> {
        let read = |key| Ok((key, ActionRecords::read(store, index, key)?));
        let by_action = store.action_keys()?.into_par_iter().map(read);
        let by_action = by_action.collect::<Result<_, StoreError>>()?;
        Ok(Self { by_action })
    }
}

impl ActionRecords {
    fn read(store: &Store, index: &Index, key: ActionKey) -> Result<Self, StoreError> {
        let results: HashMap<_, _> = index
            .results(key)
            .iter()
            .map(|(name, result)| (*name, result.started_ms.saturating_add(result.duration_ms)))
            .collect();
        let mut records = Self::default();
        for path in store.record_paths(key)? {
            let metadata = fs::symlink_metadata(&path).at("inspect", &path)?;
            // No record, and nothing that the store may remove.
            if metadata.is_dir() {
                continue;
            }
            let ended_ms = match record_name(&path).and_then(|name| results.get(&name)) {
                Some(ended_ms) => *ended_ms,
                None => disk::written_ms(&metadata, &path)?,
            };
            records.ended_ms = records.ended_ms.max(ended_ms);
            records.files.push((path, metadata.len()));
        }
        Ok(records)
    }
}
