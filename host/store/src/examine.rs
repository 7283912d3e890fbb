//! Reading for an auditor: what lies in an object's place, whatever it is. Nothing is believed
//! and nothing is mapped: a file that shrinks under the reader ends early, and ends nobody.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assay_core::ObjectHash;

use crate::disk::{self, Hashed};
use crate::document::DOCUMENT_LIMIT;
use crate::error::StoreError;
use crate::object::missing;
use crate::store::Store;

/// Properties of the file in the place of an object or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The hash of its bytes.
    pub hash: ObjectHash,
    /// How many there are.
    pub size: u64,
    /// The first of them, if there is one: a document's is `{`.
    pub first: Option<u8>,
    /// Whether its permissions let someone write to it.
    pub writable: bool,
}

impl Found {
    fn new(hashed: &Hashed, metadata: &Metadata) -> Self {
        Self {
            hash: hashed.hash,
            size: hashed.size,
            first: hashed.first,
            writable: metadata.permissions().mode() & 0o222 != 0,
        }
    }
}

impl Store {
    /// Reads every byte of what lies in the object's place; `read` is told of them as they are
    /// read. Many files may be examined side by side, and one large file is read by several
    /// threads of rayon's pool.
    ///
    /// # Errors
    /// Nothing is there, or no file, or it cannot be read. Other bytes than the object's are no
    /// error: what is found has another hash.
    pub fn examine(
        &self,
        object: ObjectHash,
        read: &(dyn Fn(u64) + Sync),
    ) -> Result<Found, StoreError> {
        let path = self.object_path(object);
        let examined = disk::open(&path).and_then(|(file, metadata)| {
            let hashed = disk::hash_file(&file, metadata.len(), &path, read)?;
            Ok(Found::new(&hashed, &metadata))
        });
        examined.map_err(|error| missing(object, error))
    }

    /// As [`Store::examine`], for a document: its bytes too.
    ///
    /// # Errors
    /// As there, or it is larger than any document.
    pub fn examine_document(&self, object: ObjectHash) -> Result<(Found, Vec<u8>), StoreError> {
        self.examine_record(&self.object_path(object))
            .map_err(|error| missing(object, error))
    }

    /// As [`Store::examine_document`], for the record of a result at `path`.
    ///
    /// # Errors
    /// As there.
    pub fn examine_record(&self, path: &Path) -> Result<(Found, Vec<u8>), StoreError> {
        let (file, metadata) = disk::open(path)?;
        let bytes = disk::read_open(&file, path, DOCUMENT_LIMIT)?;
        let hashed = Hashed {
            hash: disk::hash_bytes(&bytes),
            size: bytes.len() as u64,
            first: bytes.first().copied(),
        };
        Ok((Found::new(&hashed, &metadata), bytes))
    }
}
