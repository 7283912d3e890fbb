//! Files of the user's that are hashed when a pipeline is planned, and compared before and after they
//! are read.

use std::path::Path;

use assay_core::ObjectHash;
use serde::{Deserialize, Serialize};

use super::settings::FileHashes;
use super::{Digest, SourceFile};
use crate::error::DatasetError;

/// A file of the user's, as the pipeline was planned with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashedFile {
    /// Its path in the folder of the dataset; skipped images are named by it.
    pub path: String,
    /// The hash of its content.
    pub hash: ObjectHash,
}

impl HashedFile {
    /// The file at `path` in `folder`, hashed.
    pub(super) fn new(
        path: String,
        folder: &Path,
        hashes: &mut dyn FileHashes,
    ) -> Result<Self, DatasetError> {
        let hash = hashes.file(&folder.join(&path));
        Ok(Self {
            hash: hash.map_err(DatasetError::Hash)?,
            path,
        })
    }

    /// The file in `directory` is the one that was planned with.
    pub(super) fn check_unchanged(
        &self,
        directory: Option<&Path>,
        hashes: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        let path = directory.unwrap_or(Path::new("")).join(&self.path);
        let found = hashes.file(&path).map_err(DatasetError::Hash)?;
        compare(self.hash, found, || path.display().to_string())
    }
}

impl From<&HashedFile> for SourceFile {
    fn from(file: &HashedFile) -> Self {
        Self {
            name: file.path.clone(),
            digest: Digest::Blake3(file.hash),
            bytes: None,
        }
    }
}

/// The hash that was planned with is the one that is found.
pub(super) fn compare(
    planned: ObjectHash,
    found: ObjectHash,
    files: impl FnOnce() -> String,
) -> Result<(), DatasetError> {
    if planned == found {
        Ok(())
    } else {
        Err(DatasetError::Changed(files()))
    }
}
