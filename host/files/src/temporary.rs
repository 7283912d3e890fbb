//! A temporary folder that goes away whole, whatever a plugin left in it.

use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::folder::remove;

/// A folder that is removed with everything in it when this is dropped.
#[derive(Debug)]
pub struct TemporaryFolder(TempDir);

impl TemporaryFolder {
    /// A new folder where the system keeps such.
    pub fn new() -> io::Result<Self> {
        TempDir::new().map(Self)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed costs some room and nothing else.
        let _ = remove(self.path());
    }
}
