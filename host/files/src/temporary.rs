//! A temporary folder that goes away whole, whatever a plugin left in it.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::folder::remove;

/// A folder that is removed with everything in it when this is dropped.
#[derive(Debug)]
pub struct TemporaryFolder {
    /// Empty once it is to be kept.
    path: PathBuf,
}

impl TemporaryFolder {
    /// A new folder where the system keeps such.
    pub fn new() -> io::Result<Self> {
        let path = TempDir::new()?.keep();
        Ok(Self { path })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the folder where it is, and gives its path.
    pub fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        // A folder that cannot be removed costs some room and nothing else.
        let _ = remove(self.path());
    }
}
