//! The lock and the scratch folder of an action, held by the process that executes it.
//! Locks are advisory and die with the processes that hold them. Only a garbage collection, to which
//! the store is closed, removes lock files: beside others, a process that opened one and a process
//! that made its successor would both hold it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use assay_core::ActionKey;
use assay_core::graph::Node;
use rustix::io::Errno;

use crate::disk;
use crate::error::{At, StoreError};
use crate::gate::is_free;
use crate::object::file_name;
use crate::store::{Part, Store};

/// How long to wait before another look at a lock.
const WAIT_INTERVAL: Duration = Duration::from_millis(5);

/// The right to execute an action, held until this and every clone of its file are closed.
#[derive(Debug)]
pub struct ActionLock {
    file: File,
    path: PathBuf,
}

impl ActionLock {
    /// A second descriptor of the locked file, which can be read from alone. Handed to a child
    /// process (as its standard input), it keeps the action locked for as long as the child lives,
    /// even if this process dies first.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn try_clone_file(&self) -> Result<File, StoreError> {
        self.file.try_clone().at("share the lock", &self.path)
    }
}

impl Store {
    /// Takes the lock of an action. If another holds it, this waits for it where `wait` is true,
    /// and else returns `None`. A lock is on the open file: a thread of the process that holds
    /// it waits like any other.
    ///
    /// # Errors
    /// The lock file cannot be made, or the file system has no locks.
    pub fn lock_action(
        &self,
        key: ActionKey,
        wait: bool,
    ) -> Result<Option<ActionLock>, StoreError> {
        loop {
            let lock = self.try_lock_action(key)?;
            if lock.is_some() || !wait {
                return Ok(lock);
            }
            thread::sleep(WAIT_INTERVAL);
        }
    }

    /// Opens and locks the file under one guard: a collection may remove the file of a lock that
    /// nobody has, so one that was opened earlier may not be the lock any more.
    fn try_lock_action(&self, key: ActionKey) -> Result<Option<ActionLock>, StoreError> {
        let guard = self.hold()?;
        let path = self.part(Part::Locks).join(key.to_string());
        let Some(file) = open_locked(&path)? else {
            return Ok(None);
        };
        self.note(&guard, Node::Action(key));
        Ok(Some(ActionLock { file, path }))
    }

    /// The working folder of an action, made if it is not there. What lies in it survives an
    /// interruption, and belongs to whoever holds the action's lock.
    pub fn scratch(&self, key: ActionKey) -> Result<PathBuf, StoreError> {
        let folder = self.scratch_folder(key);
        fs::create_dir_all(&folder).at("create the folder", &folder)?;
        Ok(folder)
    }

    /// Removes the working folder of an action, if there is one.
    pub fn clear_scratch(&self, key: ActionKey) -> Result<(), StoreError> {
        let folder = self.scratch_folder(key);
        assay_files::remove(&folder).at("remove the folder", &folder)
    }

    /// The working folders of all actions that have one.
    pub(crate) fn scratch_folders(&self) -> Result<Vec<(ActionKey, PathBuf)>, StoreError> {
        let folders = disk::entries(&self.part(Part::Scratch))?.into_iter();
        let named = |path: PathBuf| Some((file_name(&path).parse().ok()?, path));
        Ok(folders.filter_map(named).collect())
    }

    pub(crate) fn scratch_folder(&self, key: ActionKey) -> PathBuf {
        self.part(Part::Scratch).join(key.to_string())
    }
}

/// Opens and locks the file at `path`, unless another has its lock. Whoever is given the descriptor
/// should not be able to write to the file, and a lock needs no more than reading. NFS alone, which
/// makes it a lock for writing, wants the file open for that, and says so with `EBADF`.
fn open_locked(path: &Path) -> Result<Option<File>, StoreError> {
    let mut file = assay_files::open_or_create(path).at("create the lock", path)?;
    let mut locked = is_free(|| file.try_lock());
    let needs_writing =
        |error: &io::Error| error.raw_os_error() == Some(Errno::BADF.raw_os_error());
    if locked.as_ref().is_err_and(needs_writing) {
        file = assay_files::append(path).at("create the lock", path)?;
        locked = is_free(|| file.try_lock());
    }
    Ok(locked.at("lock", path)?.then_some(file))
}
