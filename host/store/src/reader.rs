//! An object read from its beginning to its end, and checked against its name while it is. It
//! serves those who cannot hold the object in memory; what they were given is only known to be
//! right at the end.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use assay_core::ObjectHash;

use crate::disk;
use crate::error::StoreError;
use crate::object::missing;
use crate::store::Store;

/// The bytes of an object. Reading to the end fails with [`io::ErrorKind::InvalidData`], around a
/// [`StoreError::Damaged`], if they do not have the object's hash.
#[derive(Debug)]
pub struct ObjectReader {
    object: ObjectHash,
    path: PathBuf,
    file: File,
    size: u64,
    hasher: blake3::Hasher,
}

impl Store {
    /// Opens the object for one pass over it.
    ///
    /// # Errors
    /// The object is missing, or cannot be read.
    pub fn reader(&self, object: ObjectHash) -> Result<ObjectReader, StoreError> {
        let path = self.object_path(object);
        let opened = disk::open(&path).map_err(|error| missing(object, error));
        let (file, metadata) = opened?;
        Ok(ObjectReader {
            object,
            path,
            file,
            size: metadata.len(),
            hasher: blake3::Hasher::new(),
        })
    }
}

impl ObjectReader {
    /// The size of its file in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            self.hasher.update(buffer.get(..count).unwrap_or_default());
            return Ok(count);
        }
        if *self.hasher.finalize().as_bytes() == *self.object.as_bytes() {
            return Ok(0);
        }
        let (object, path) = (self.object, self.path.clone());
        let damaged = StoreError::Damaged { object, path };
        Err(io::Error::new(io::ErrorKind::InvalidData, damaged))
    }
}
