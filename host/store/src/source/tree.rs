//! One hash of many source files: what stands for a dataset of a million images. The files are
//! read once; after that, a look at each one's entry tells whether any may have changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use assay_core::ObjectHash;
use serde::{Deserialize, Serialize};

use super::{SourceHashes, read};
use crate::disk::side_by_side;
use crate::error::{At, StoreError};
use crate::stamp::Stamp;

/// The remembered hash of the files below a folder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownTree {
    /// The hash of every file's name and [`Stamp`].
    signature: ObjectHash,
    hash: ObjectHash,
}

impl SourceHashes {
    /// One hash of `files`, paths relative to `root`: of each one's path, size and bytes, in the
    /// given order. If no entry of them has changed since they were last read, they are not read
    /// again; if one has, all are.
    ///
    /// # Errors
    /// One is not a regular file, cannot be read, or changes meanwhile.
    pub fn hash_tree(&mut self, root: &Path, files: &[PathBuf]) -> Result<ObjectHash, StoreError> {
        let root = std::path::absolute(root).at("locate", root)?;
        let begun = SystemTime::now();
        let stamps = side_by_side(files, |file| {
            let path = root.join(file);
            Ok(Stamp::of(&fs::metadata(&path).at("inspect", &path)?))
        })?;
        let signature = signature(files, &stamps);
        let name = root.to_str();
        if let Some(known) = name.and_then(|name| self.trees.get(name))
            && known.signature == signature
        {
            return Ok(known.hash);
        }

        let read = side_by_side(files, |file| read(&root.join(file)))?;
        let mut hasher = blake3::Hasher::new_derive_key("assay source tree, version 1");
        for ((file, stamp), (hash, stamp_now)) in files.iter().zip(&stamps).zip(&read) {
            if stamp != stamp_now {
                return Err(StoreError::Changed {
                    path: root.join(file),
                });
            }
            add_path(&mut hasher, file);
            hasher.update(&stamp.size.to_le_bytes());
            hasher.update(hash.as_bytes());
        }
        let hash = ObjectHash::from(hasher.finalize());
        if let Some(name) = name
            && stamps.iter().all(|stamp| stamp.is_settled(begun))
        {
            let known = KnownTree { signature, hash };
            self.trees.insert(name.to_owned(), known);
            self.changed = true;
        }
        Ok(hash)
    }
}

fn signature(files: &[PathBuf], stamps: &[Stamp]) -> ObjectHash {
    let mut hasher = blake3::Hasher::new_derive_key("assay source tree signature, version 1");
    for (file, stamp) in files.iter().zip(stamps) {
        add_path(&mut hasher, file);
        for number in [stamp.device, stamp.inode, stamp.size] {
            hasher.update(&number.to_le_bytes());
        }
        for (seconds, nanoseconds) in [stamp.modified, stamp.changed] {
            hasher.update(&seconds.to_le_bytes());
            hasher.update(&nanoseconds.to_le_bytes());
        }
    }
    hasher.finalize().into()
}

/// Adds a path so that no two lists of paths are alike.
fn add_path(hasher: &mut blake3::Hasher, path: &Path) {
    let path = path.as_os_str().as_encoded_bytes();
    hasher.update(&(path.len() as u64).to_le_bytes());
    hasher.update(path);
}
