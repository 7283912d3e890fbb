//! Descriptions of plugins, remembered from one command to the next in a folder of the user's. A
//! library's hash decides its answer, so what is remembered is never out of date; it only saves
//! time, and can be deleted at any moment.

use std::fs;
use std::path::{Path, PathBuf};

use assay_core::{PluginHash, StageKind};
use assay_files::{READABLE, replace};

use crate::plugin::PluginDescription;

/// More than any answer has.
const LARGEST: u64 = 16 << 20;

/// The file of one library's answer.
pub(super) struct Remembered(PathBuf);

impl Remembered {
    pub(super) fn new(folder: &Path, hash: PluginHash) -> Self {
        let revision = StageKind::Describe.revision();
        Self(folder.join(format!("{hash}-{revision}.json")))
    }

    /// The answer; a file that cannot be read counts as none.
    pub(super) fn read(&self) -> Option<PluginDescription> {
        serde_json::from_slice(&assay_files::read(&self.0, LARGEST).ok()?).ok()
    }

    /// Remembers the answer, if that can be done.
    pub(super) fn write(&self, description: &PluginDescription) {
        let written = serde_json::to_vec(description).map(|bytes| {
            let folder = self.0.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).and_then(|()| replace(&self.0, &bytes, READABLE))
        });
        // The next command asks again.
        let _ = written;
    }
}
