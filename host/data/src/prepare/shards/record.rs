//! The record of a finished shard, so that an interrupted pass can go on after it: a document
//! beside the shard, written after it, with the hash of its bytes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{PrepareError, SkippedImage};
use crate::atomic;
use crate::digest::ContentHash;
use crate::statistics::Statistics;

/// More than any record has.
const LARGEST: u64 = 64 << 20;

/// A finished shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The hash of the shard's file.
    pub(super) hash: ContentHash,
    pub(super) images: u32,
    pub(super) label_counts: Vec<u64>,
    pub(super) statistics: Statistics,
    pub(super) skipped: Vec<SkippedImage>,
}

impl Record {
    /// The record of the shard `file`, if both are there and whole. A damaged one is as good as
    /// none: the shard is then written again.
    pub(super) fn load(folder: &Path, file: &str) -> Option<Self> {
        let record: Self =
            serde_json::from_slice(&assay_files::read(&path(folder, file), LARGEST).ok()?).ok()?;
        let hash = ContentHash::read(assay_files::open(&folder.join(file)).ok()?).ok()?;
        (hash == record.hash).then_some(record)
    }

    /// Records the shard `file`, which lies complete in `folder`.
    pub(super) fn save(&mut self, folder: &Path, file: &str) -> Result<(), PrepareError> {
        let shard = folder.join(file);
        let hash = assay_files::open(&shard).and_then(ContentHash::read);
        hash.and_then(|hash| {
            self.hash = hash;
            atomic::write(&path(folder, file), &serde_json::to_vec(self)?)
        })
        .map_err(|source| PrepareError::Scratch {
            what: format!("cannot record {}", shard.display()),
            source,
        })
    }
}

fn path(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!("{file}.json"))
}
