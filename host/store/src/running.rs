//! The logs of runs under way, by which other processes find and follow them. A run writes what happens
//! to a log of its own, `running/<milliseconds since 1970>-<random>`, which is locked as long as its
//! process lives and removed at its end: so a log that nobody has the lock of is that of a run that was
//! killed, whatever it says. The store knows the file and not what is written to it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::disk;
use crate::error::{At, StoreError, present};
use crate::gate::{is_locked, try_lock};
use crate::object::file_name;
use crate::store::{ABANDONED, Part, Store};

/// The digits of the time in a log's name.
const TIME_DIGITS: usize = 13;

/// The log of this process's run.
#[derive(Debug)]
pub struct RunLog {
    file: File,
    path: PathBuf,
}

impl RunLog {
    /// The run's name while it is under way.
    pub fn id(&self) -> &str {
        file_name(&self.path)
    }

    /// A second descriptor of the log, to write to.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn try_clone_file(&self) -> Result<File, StoreError> {
        self.file.try_clone().at("share the log", &self.path)
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        // What is left here is taken for the log of a run that was killed, and removed later.
        let _ = fs::remove_file(&self.path);
    }
}

/// The log of a run, for whoever follows it.
#[derive(Debug)]
pub struct FoundRunLog {
    /// The run's name while it is under way.
    pub id: String,
    file: File,
    path: PathBuf,
}

impl FoundRunLog {
    /// Whether the run's process lives.
    ///
    /// # Errors
    /// The file system has no locks.
    pub fn is_alive(&self) -> Result<bool, StoreError> {
        // Another open file: this one must not keep the lock that it may be given.
        match disk::open_if_there(&self.path)? {
            Some((file, _)) => is_locked(&file, &self.path),
            None => Ok(false),
        }
    }

    /// A second descriptor of the log, to read from.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn try_clone_file(&self) -> Result<File, StoreError> {
        self.file.try_clone().at("share the log", &self.path)
    }
}

impl Store {
    /// Begins the log of a run of this process. Logs of runs that were killed more than a day ago are
    /// removed.
    ///
    /// # Errors
    /// The log cannot be made.
    pub fn begin_run_log(&self, started_ms: u64) -> Result<RunLog, StoreError> {
        let folder = self.part(Part::Running);
        fs::create_dir_all(&folder).at("create the folder", &folder)?;
        self.remove_old_run_logs();
        let temporary = self.part(Part::Temporary);
        let created = tempfile::Builder::new()
            .prefix("")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(&temporary);
        let created = created.at("create a temporary file in", &temporary)?;
        // Locked before it has its name: so whoever finds a log that is not locked knows what that means.
        try_lock(created.as_file(), created.path())?;
        let name = format!(
            "{started_ms:0TIME_DIGITS$}-{}",
            file_name(created.path()).to_ascii_lowercase()
        );
        let path = folder.join(name);
        let file = created.persist_noclobber(&path);
        let file = file.map_err(|error| error.error).at("create", &path)?;
        Ok(RunLog { file, path })
    }

    /// The logs of runs, the oldest run first: of runs under way, and of runs that were killed.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn run_logs(&self) -> Result<Vec<FoundRunLog>, StoreError> {
        let paths = present(disk::entries(&self.part(Part::Running)))?;
        let mut paths = paths.unwrap_or_default();
        paths.retain(|path| is_name(file_name(path)));
        paths.sort_unstable();
        let mut logs = Vec::new();
        for path in paths {
            // A run that ends removes its log.
            if let Some((file, _)) = disk::open_if_there(&path)? {
                let id = file_name(&path).to_owned();
                logs.push(FoundRunLog { id, file, path });
            }
        }
        Ok(logs)
    }

    /// The logs that nobody has the lock of.
    pub(crate) fn dead_run_logs(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut dead = Vec::new();
        for log in self.run_logs()? {
            if !log.is_alive()? {
                dead.push(log.path);
            }
        }
        Ok(dead)
    }

    /// Best effort: a leftover costs some room and nothing else.
    fn remove_old_run_logs(&self) {
        for path in &self.dead_run_logs().unwrap_or_default() {
            let written = fs::metadata(path).and_then(|it| it.modified());
            let age = written.map(|at| SystemTime::now().duration_since(at));
            if age.is_ok_and(|age| age.is_ok_and(|age| age > ABANDONED)) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Whether a file of this name is the log of a run.
pub(crate) fn is_name(name: &str) -> bool {
    let parts = name.split_once('-');
    parts.is_some_and(|(time, random)| {
        time.len() >= TIME_DIGITS
            && time.bytes().all(|byte| byte.is_ascii_digit())
            && !random.is_empty()
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}
