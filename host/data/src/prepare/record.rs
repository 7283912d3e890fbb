//! The record of a finished file, so that an interrupted pass can go on after it: a document
//! beside the file, written after it, with the hash of its bytes.

use std::path::{Path, PathBuf};

use assay_core::ObjectHash;
use serde::{Deserialize, Serialize};

use super::SkippedImage;
use crate::digest;
use crate::error::DatasetError;
use crate::statistics::Statistics;

/// More than any record has.
const LARGEST: u64 = 64 << 20;

/// A finished file of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The hash of its bytes.
    pub(super) hash: ObjectHash,
    pub(super) images: u32,
    pub(super) label_counts: Vec<u64>,
    pub(super) statistics: Statistics,
    pub(super) skipped: Vec<SkippedImage>,
}

impl Record {
    /// The record of `file`, if both are there and whole. A damaged one is as good as
    /// none: the file is then written again.
    pub(super) fn load(folder: &Path, file: &str) -> Option<Self> {
        let record: Self =
            serde_json::from_slice(&assay_files::read(&path(folder, file), LARGEST).ok()?).ok()?;
        let hash = digest::hash(assay_files::open(&folder.join(file)).ok()?).ok()?;
        (hash == record.hash).then_some(record)
    }

    /// Records `file`, which lies complete in `folder`.
    pub(super) fn save(&mut self, folder: &Path, file: &str) -> Result<(), DatasetError> {
        let written = folder.join(file);
        let hash = assay_files::open(&written).and_then(digest::hash);
        hash.and_then(|hash| {
            self.hash = hash;
            let document = serde_json::to_vec(self)?;
            assay_files::replace(&path(folder, file), &document, assay_files::PRIVATE)
        })
        .map_err(|error| DatasetError::Io {
            what: format!("cannot record {}", written.display()),
            error,
        })
    }
}

fn path(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!("{file}.json"))
}
