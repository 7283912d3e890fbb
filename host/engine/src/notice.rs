//! Notices to the user about a plan, none of which keeps it from running.

use std::path::PathBuf;

use assay_core::PluginHash;

use crate::lock::LockDifference;
use crate::plugin::{Library, PluginReference};

/// A library that runs for the first time in a store, and nobody has vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstUse {
    /// The plugin.
    pub name: String,
    /// Its library.
    pub hash: PluginHash,
    /// Where that lies; none where its hash found it in the store.
    pub file: Option<PathBuf>,
}

impl FirstUse {
    /// The first use of a library, unless the reference names its hash: whoever wrote that knew
    /// which library is meant.
    pub(crate) fn of(reference: &str, library: &Library) -> Option<Self> {
        let reference: PluginReference = reference.parse().ok()?;
        reference.hash.is_none().then(|| Self {
            name: library.name.clone(),
            hash: library.hash,
            file: library.file.clone(),
        })
    }
}

/// Something that a user should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something is not as the lock has it.
    Lock(LockDifference),
    /// A library runs for the first time.
    FirstUse(FirstUse),
}
