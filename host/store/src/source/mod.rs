//! Hashes of files outside the store (plugins, datasets as they were downloaded), remembered so
//! that a file is read again only when it may have changed. What is remembered only saves time:
//! it can be lost at any moment, and is never believed about a file that has just been written.

mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use assay_core::ObjectHash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cache::cache_path;
use crate::disk;
use crate::document::DOCUMENT_LIMIT;
use crate::error::{At, StoreError};
use crate::stamp::Stamp;
use crate::store::Store;

use self::tree::KnownTree;

/// Cache files with the hashes of single files and of trees of files.
const FILES: &str = "files.json";
const TREES: &str = "trees.json";

/// The hashes of source files, as known to one process.
#[derive(Debug)]
pub struct SourceHashes {
    store: Store,
    known: BTreeMap<String, Known>,
    trees: BTreeMap<String, KnownTree>,
    changed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    stamp: Stamp,
    hash: ObjectHash,
}

impl Store {
    /// The hashes of source files that earlier processes left. A file of them that cannot be
    /// read counts as empty.
    pub fn source_hashes(&self) -> SourceHashes {
        SourceHashes {
            store: self.clone(),
            known: self.read_cache(FILES),
            trees: self.read_cache(TREES),
            changed: false,
        }
    }

    fn read_cache<T: DeserializeOwned>(&self, name: &str) -> BTreeMap<String, T> {
        disk::read(&cache_path(self, name), DOCUMENT_LIMIT)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn write_cache<T: Serialize>(
        &self,
        name: &str,
        known: &BTreeMap<String, T>,
    ) -> Result<(), StoreError> {
        let path = cache_path(self, name);
        let bytes = serde_json::to_vec(known).map_err(|source| StoreError::Document {
            what: "list of source files",
            path: path.clone(),
            source,
        })?;
        self.write(&path, &bytes)
    }
}

impl SourceHashes {
    /// The hash of the file at `path`, which is read only if it may have changed since it was
    /// last.
    ///
    /// # Errors
    /// It is not a regular file, cannot be read, or changes meanwhile.
    pub fn hash(&mut self, path: &Path) -> Result<ObjectHash, StoreError> {
        let absolute = std::path::absolute(path).at("locate", path)?;
        let stamp = Stamp::of(&fs::metadata(&absolute).at("inspect", &absolute)?);
        let name = absolute.to_str();
        if let Some(known) = name.and_then(|name| self.known.get(name))
            && known.stamp == stamp
        {
            return Ok(known.hash);
        }

        let begun = SystemTime::now();
        let (hash, stamp) = read(&absolute)?;
        if let Some(name) = name
            && stamp.is_settled(begun)
        {
            self.known.insert(name.to_owned(), Known { stamp, hash });
            self.changed = true;
        }
        Ok(hash)
    }

    /// Writes what was learnt, if anything was. Of two processes that do so, the last wins. Where the
    /// store cannot be written, nothing is lost but time: the files are read again.
    pub fn save(&mut self) {
        if self.changed {
            let files = self.store.write_cache(FILES, &self.known);
            let trees = self.store.write_cache(TREES, &self.trees);
            self.changed = files.is_err() || trees.is_err();
        }
    }
}

fn read(path: &Path) -> Result<(ObjectHash, Stamp), StoreError> {
    let (file, metadata) = disk::open_followed(path)?;
    let before = Stamp::of(&metadata);
    let hash = disk::hash_reader(&file).at("read", path)?;
    let after = Stamp::of(&file.metadata().at("inspect", path)?);
    if before == after {
        Ok((hash, after))
    } else {
        Err(StoreError::Changed {
            path: path.to_owned(),
        })
    }
}
