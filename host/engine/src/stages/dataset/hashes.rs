//! The hashes of the user's own files, which the store remembers: a file is read again only when it
//! may have changed. The first plan with a copy of ImageNet reads all of it, later ones look at the
//! files' entries.

use std::path::{Path, PathBuf};

use assay_core::ObjectHash;
use assay_data::sources::{FileHashes, HashError};
use assay_store::SourceHashes;

/// The store's hashes as datasets ask for them.
pub(crate) struct StoreHashes<'a>(pub(crate) &'a mut SourceHashes);

impl FileHashes for StoreHashes<'_> {
    fn file(&mut self, path: &Path) -> Result<ObjectHash, HashError> {
        Ok(self.0.hash(path)?)
    }

    fn tree(&mut self, root: &Path, files: &[PathBuf]) -> Result<ObjectHash, HashError> {
        Ok(self.0.hash_tree(root, files)?)
    }
}
