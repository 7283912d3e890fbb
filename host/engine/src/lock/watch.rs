//! Compares what a plan found with its lock while it is made: before a library is run, and for
//! every dataset. What differs is refused or remarked on, as the user wishes.

use std::path::{Path, PathBuf};

use assay_core::{Complaints, Diagnostic, ObjectHash, Place, PluginPin};

use super::document::{LockError, LockFile, LockedDataset, LockedPlugin, lock_path};

/// Treatment of a pipeline file's lock in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockMode {
    /// A difference from the lock is remarked on, and the plan runs.
    #[default]
    Remark,
    /// A difference from the lock is an error: nothing that is not in it runs.
    Enforce,
    /// The lock is written anew, so nothing differs from it.
    Write,
}

/// A difference between a plan and its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockDifference {
    /// Text that names the item and the lock, with the values expected and found.
    pub message: String,
    /// Advice on the next step.
    pub help: String,
}

/// The lock of a pipeline file, and what its plan found.
#[derive(Debug)]
pub(crate) struct LockWatch {
    mode: LockMode,
    path: PathBuf,
    pinned: Option<LockFile>,
    found: LockFile,
    remarks: Vec<LockDifference>,
}

impl LockWatch {
    /// Reads the lock of the pipeline file at `pipeline`.
    ///
    /// # Errors
    /// It cannot be used, or there is none and one must be.
    pub(crate) fn open(pipeline: &Path, mode: LockMode) -> Result<Self, LockError> {
        let path = lock_path(pipeline);
        let pinned = LockFile::read(&path)?;
        if pinned.is_none() && mode == LockMode::Enforce {
            return Err(LockError::Missing { path });
        }
        Ok(Self {
            mode,
            path,
            pinned,
            found: LockFile::default(),
            remarks: Vec::new(),
        })
    }

    /// Compares the plugin that the pipeline file names at `place` with the lock, and says whether
    /// it may be run.
    pub(crate) fn plugin(
        &mut self,
        reference: &str,
        place: &Place,
        pin: &PluginPin,
        complaints: &mut Complaints,
    ) -> bool {
        let Some(lock) = &self.pinned else {
            return true;
        };
        let help = format!(
            "build that library again, name it `{}@` and its whole hash if the store still has it, or \
             take this one with --lock",
            pin.name
        );
        let (expected, help) = match lock.plugin.get(reference) {
            None => (None, "put it there with --lock".to_owned()),
            Some(locked) if locked.hash != pin.hash => (
                Some(format!(
                    "version {}, ABI {}, {}",
                    locked.version, locked.abi, locked.hash
                )),
                help,
            ),
            Some(_) => return true,
        };
        let found = format!("ABI {}, {}", pin.abi, pin.hash);
        let what = format!("the plugin `{reference}`");
        self.differs(&what, expected.as_deref(), &found, help, place, complaints);
        self.mode != LockMode::Enforce
    }

    /// Takes down a plugin that the plan uses.
    pub(crate) fn found_plugin(&mut self, reference: &str, version: &str, pin: &PluginPin) {
        let plugin = LockedPlugin {
            version: version.to_owned(),
            abi: pin.abi.clone(),
            hash: pin.hash,
        };
        self.found.plugin.insert(reference.to_owned(), plugin);
    }

    /// Compares the source of a dataset with the lock, and takes it down.
    pub(crate) fn dataset(
        &mut self,
        stage: &str,
        place: &Place,
        content: ObjectHash,
        complaints: &mut Complaints,
    ) {
        let dataset = LockedDataset { content };
        self.found.dataset.insert(stage.to_owned(), dataset.clone());
        let Some(lock) = &self.pinned else { return };
        let (expected, help) = match lock.dataset.get(stage) {
            Some(locked) if *locked == dataset => return,
            Some(locked) => (
                Some(locked.content.to_string()),
                "restore its files, or take these with --lock".to_owned(),
            ),
            None => (None, "put it there with --lock".to_owned()),
        };
        let what = format!("the content of the dataset `{stage}`");
        let found = content.to_string();
        self.differs(&what, expected.as_deref(), &found, help, place, complaints);
    }

    fn differs(
        &mut self,
        what: &str,
        expected: Option<&str>,
        found: &str,
        help: String,
        place: &Place,
        complaints: &mut Complaints,
    ) {
        let lock = self.path.display();
        let message = match expected {
            None => format!("{what} is not in {lock}: found {found}"),
            Some(expected) => {
                format!("{what} is not what {lock} has: expected {expected}; found {found}")
            }
        };
        match self.mode {
            LockMode::Write => {}
            LockMode::Enforce => complaints.push(Diagnostic::new(message, place).help(help)),
            LockMode::Remark => self.remarks.push(LockDifference { message, help }),
        }
    }

    /// Whether the lock has the plugin with this hash.
    pub(crate) fn has(&self, reference: &str, pin: &PluginPin) -> bool {
        let locked = self
            .pinned
            .as_ref()
            .and_then(|lock| lock.plugin.get(reference));
        locked.is_some_and(|locked| locked.hash == pin.hash)
    }

    /// Differences to remark on; only [`LockMode::Remark`] collects them.
    pub(crate) fn remarks(&self) -> &[LockDifference] {
        &self.remarks
    }

    /// Writes what was found. If it is only a `part` of what the pipeline file names, the rest of
    /// the lock stays as it was.
    pub(crate) fn write(&self, part: bool) -> Result<&Path, LockError> {
        let mut lock = match &self.pinned {
            Some(pinned) if part => pinned.clone(),
            _ => LockFile::default(),
        };
        lock.plugin.extend(self.found.plugin.clone());
        lock.dataset.extend(self.found.dataset.clone());
        lock.write(&self.path)?;
        Ok(&self.path)
    }
}
