//! The content hashes that stand for a user's own dataset in a pipeline.
//!
//! They are computed when the pipeline is planned and checked when the dataset is read, so that
//! the plan, not a path, decides what the dataset is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Failure, MAX_FILE_BYTES, directory};
use crate::digest::ContentHash;
use crate::known::IdxFile;

/// The BLAKE3 of the uncompressed content of each of the four files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxHashes {
    /// Images of the training set.
    #[serde(rename = "train-images-idx3-ubyte")]
    pub train_images: ContentHash,
    /// Labels of the training set.
    #[serde(rename = "train-labels-idx1-ubyte")]
    pub train_labels: ContentHash,
    /// Images of the test set.
    #[serde(rename = "t10k-images-idx3-ubyte")]
    pub test_images: ContentHash,
    /// Labels of the test set.
    #[serde(rename = "t10k-labels-idx1-ubyte")]
    pub test_labels: ContentHash,
}

impl IdxHashes {
    /// The hash of one file.
    pub fn get(&self, file: IdxFile) -> ContentHash {
        match file {
            IdxFile::TrainImages => self.train_images,
            IdxFile::TrainLabels => self.train_labels,
            IdxFile::TestImages => self.test_images,
            IdxFile::TestLabels => self.test_labels,
        }
    }
}

/// A file of a user's dataset that could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: {failure}; a dataset in IDX format needs {}, {}, {} and {} in one directory, plain or \
     with .gz added to the name",
    path.display(),
    IdxFile::TrainImages.name(),
    IdxFile::TrainLabels.name(),
    IdxFile::TestImages.name(),
    IdxFile::TestLabels.name()
)]
pub struct HashError {
    /// The file.
    pub path: PathBuf,
    /// Why it has no hash.
    #[source]
    pub failure: Failure,
}

/// The hashes of the four files in `directory`. A plain file is preferred to a `.gz` beside it.
pub fn hash_directory(directory: &Path) -> Result<IdxHashes, HashError> {
    let hash = |file| hash_file(directory, file);
    Ok(IdxHashes {
        train_images: hash(IdxFile::TrainImages)?,
        train_labels: hash(IdxFile::TrainLabels)?,
        test_images: hash(IdxFile::TestImages)?,
        test_labels: hash(IdxFile::TestLabels)?,
    })
}

fn hash_file(directory: &Path, file: IdxFile) -> Result<ContentHash, HashError> {
    for path in directory::candidates(directory, file.name()) {
        match directory::read(&path, MAX_FILE_BYTES) {
            None => {}
            Some(Ok(bytes)) => return Ok(ContentHash::of(&bytes)),
            Some(Err(failure)) => return Err(HashError { path, failure }),
        }
    }
    Err(HashError {
        path: directory.join(file.name()),
        failure: Failure::NotThere,
    })
}
