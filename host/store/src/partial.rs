//! Objects that come in parts from far away: their first bytes are kept when a transfer breaks off.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use assay_core::ObjectHash;
use rustix::fs::{FlockOperation, flock};

use crate::error::{At, StoreError};
use crate::store::{Part, Store};

/// The first bytes of an object, in a file of the store that nobody else writes to as long as this lives. What is
/// not gone on with within a day goes.
#[derive(Debug)]
pub struct PartialObject {
    file: File,
    path: PathBuf,
}

impl Store {
    /// The part of the object that came before, which may be empty; `None` if another process is at it.
    ///
    /// # Errors
    /// The file cannot be made or opened.
    pub fn partial_object(&self, object: ObjectHash) -> Result<Option<PartialObject>, StoreError> {
        let path = self
            .part(Part::Temporary)
            .join(format!(".partial-{object}"));
        let opened = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .at("open", &path)?;
        if flock(&opened, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        Ok(Some(PartialObject { file: opened, path }))
    }
}

impl PartialObject {
    /// Its path, for [`Store::put_file`] once it is whole.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, to append to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Goes to the beginning of the file, to read what is there, and gives its length. One that is longer than
    /// `limit` is none of this object, and is emptied.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn rewind(&mut self, limit: u64) -> Result<u64, StoreError> {
        let length = self.file.metadata().at("look at", &self.path)?.len();
        let length = if length > limit { 0 } else { length };
        self.file.set_len(length).at("cut", &self.path)?;
        self.file.seek(SeekFrom::Start(0)).at("read", &self.path)?;
        Ok(length)
    }
}
