//! Data that other crates cache about a store, in its `cache/` folder. A hash guards the bytes
//! against damage; nothing checks that they are still true, and a reader must be able to do without
//! them.

use std::path::PathBuf;

use assay_core::ObjectHash;

use crate::disk;
use crate::error::StoreError;
use crate::store::{Part, Store};

/// The most bytes that are read of a cache file.
const CACHE_LIMIT: u64 = 1 << 30;

/// Length in bytes of the hash that follows the content of a cache file.
const CHECK: usize = 32;

impl Store {
    /// The bytes that [`Store::remember`] was given last under this name; nothing if they are
    /// gone, damaged or cannot be read.
    pub fn remembered(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = disk::read(&cache_path(self, name), CACHE_LIMIT).ok()?;
        let (content, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK)?)?;
        let (length, hash): (_, ObjectHash) = (content.len(), disk::hash_bytes(content));
        if hash.as_bytes() != check {
            return None;
        }
        bytes.truncate(length);
        Some(bytes)
    }

    /// Remembers bytes under a name, a plain file name. Of two processes that do so, the last wins.
    ///
    /// # Errors
    /// They cannot be written, as in a store that may only be read.
    pub fn remember(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let check: ObjectHash = disk::hash_bytes(content);
        let bytes = [content, check.as_bytes().as_slice()].concat();
        self.write(&cache_path(self, name), &bytes)
    }
}

pub(crate) fn cache_path(store: &Store, name: &str) -> PathBuf {
    store.part(Part::Cache).join(name)
}
