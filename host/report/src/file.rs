//! Files that appear whole or not at all, whatever their bytes mean.

use std::io;
use std::path::{Path, PathBuf};

use assay_files::{READABLE, replace};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`: {source}", path = path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Error of the file system.
    pub source: io::Error,
}

/// Writes `bytes` to `path`, replacing what was there; a crash leaves the old file or the new one.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, bytes, READABLE).map_err(|source| FileError {
        path: path.to_owned(),
        source,
    })
}
