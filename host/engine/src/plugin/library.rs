//! Obtains the library that a reference means: finds the file, copies its bytes into the store, and
//! reads the handshake of the copy. From there on what runs is what was looked at, whatever
//! becomes of the file.

use std::path::{Path, PathBuf};

use assay_abi::Handshake;
use assay_core::{PluginHash, PluginPin};
use assay_store::{SourceHashes, Store};

use super::file::{PluginError, read_bytes, read_handshake};
use super::reference::{HashPrefix, PluginReference, file_name};
use super::search::SearchPath;
use crate::error::EngineError;

/// A library that lies in the store.
pub(crate) struct Library {
    /// The plugin's name.
    pub(crate) name: String,
    /// The file it was copied from; none where its hash found it in the store.
    pub(crate) file: Option<PathBuf>,
    pub(crate) hash: PluginHash,
    pub(crate) handshake: Handshake,
}

impl Library {
    /// The library as an action names it.
    pub(crate) fn pin(&self) -> PluginPin {
        PluginPin {
            name: self.name.clone(),
            hash: self.hash,
            abi: self.handshake.abi_version(),
        }
    }
}

/// Context for finding libraries.
pub(crate) struct Libraries<'a> {
    pub(crate) store: &'a Store,
    pub(crate) sources: &'a mut SourceHashes,
    pub(crate) search: &'a SearchPath,
    /// The folder that paths are relative to.
    pub(crate) base: &'a Path,
}

impl Libraries<'_> {
    /// The library that `reference` means; nothing in it is executed.
    ///
    /// # Errors
    /// [`EngineError::Plugin`] where there is no such plugin, else what failed.
    pub(crate) fn obtain(&mut self, reference: &str) -> Result<Library, EngineError> {
        let reference: PluginReference =
            reference.parse().map_err(|source| PluginError::Reference {
                reference: reference.to_owned(),
                source,
            })?;
        let (file, hash) = match self.choose(&reference)? {
            Chosen::File(file) => {
                // Before it is copied: the store is no place for what is no plugin.
                read_handshake(&file)?;
                let hash = self.keep(&file)?;
                (Some(file), hash)
            }
            Chosen::Stored(hash) => (None, hash),
        };
        if let (Some(wanted), Some(file)) = (&reference.hash, &file)
            && !wanted.matches(hash)
        {
            // It was rebuilt between being chosen and being copied.
            let found = vec![(file.clone(), hash)];
            return Err(other_hash(&reference, wanted, found).into());
        }
        Ok(Library {
            name: reference.name(),
            file,
            hash,
            handshake: read_handshake(&self.store.object_path(hash.into()))?,
        })
    }

    /// Which file is meant: the first that there is, or the first with the hash that is asked for;
    /// failing that, a whole hash means what the store has under it.
    fn choose(&mut self, reference: &PluginReference) -> Result<Chosen, EngineError> {
        let files = self.search.files(reference, self.base);
        let Some(wanted) = &reference.hash else {
            let first = files.into_iter().next().map(Chosen::File);
            return Ok(first.ok_or_else(|| self.not_found(reference))?);
        };
        let mut others = Vec::new();
        for file in files.iter().filter(|file| file.is_file()) {
            let hash = PluginHash::from(self.sources.hash(file)?);
            if wanted.matches(hash) {
                return Ok(Chosen::File(file.clone()));
            }
            others.push((file.clone(), hash));
        }
        if let Some(hash) = wanted.whole()
            && self.store.claim(hash.into())?
        {
            return Ok(Chosen::Stored(hash));
        }
        if !others.is_empty() {
            return Err(other_hash(reference, wanted, others).into());
        }
        // A path leads to a file that is not there, whose reading will say why.
        let path = files.into_iter().next().map(Chosen::File);
        Ok(path.ok_or_else(|| self.not_found(reference))?)
    }

    /// Copies the library into the store, unless it is there and sound, and gives its hash.
    fn keep(&mut self, file: &Path) -> Result<PluginHash, EngineError> {
        let hash = self.sources.hash(file)?;
        let object = self.store.object_path(hash);
        // Read again only if its entry has changed, as the file itself is.
        if self.store.claim(hash)? && self.sources.hash(&object)? == hash {
            return Ok(hash.into());
        }
        let bytes = read_bytes(file)?;
        // The file may have been rebuilt in between; what counts is what is stored.
        Ok(self.store.put_bytes(&bytes)?.into())
    }

    fn not_found(&self, reference: &PluginReference) -> PluginError {
        let folders = self.search.folders().iter();
        PluginError::NotFound {
            reference: match &reference.hash {
                Some(hash) => format!("{}@{hash}", reference.library),
                None => reference.library.clone(),
            },
            file_name: file_name(&reference.library),
            searched: folders.map(|folder| folder.path.clone()).collect(),
        }
    }
}

enum Chosen {
    File(PathBuf),
    Stored(PluginHash),
}

fn other_hash(
    reference: &PluginReference,
    wanted: &HashPrefix,
    found: Vec<(PathBuf, PluginHash)>,
) -> PluginError {
    PluginError::OtherHash {
        library: reference.library.clone(),
        wanted: wanted.clone(),
        found,
    }
}
