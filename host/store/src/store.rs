//! The store's folder: opening and creating it, its format, the names of its parts, and the
//! atomic write that every part uses. It never looks into a document.

use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::FileType;
use tempfile::NamedTempFile;

use crate::disk;
use crate::error::{At, StoreError, present};
use crate::lease::Leases;
use crate::stamp::Stamp;

/// The contents of `format`, less the newline.
const FORMAT: &str = "assay store 1";

/// The beginning of `format`, the same in every version.
const FORMAT_NAME: &str = "assay store ";

/// More than any `format` file has.
const FORMAT_LIMIT: u64 = 256;

/// A temporary file that nothing wrote to for so long has lost its process, on whatever machine.
pub(crate) const ABANDONED: Duration = Duration::from_hours(24);

/// Objects and records are never written to again: what the user's mask leaves of this, which
/// includes the user.
const READ_ONLY: u32 = 0o444;
const READ_ONLY_BY_USER: u32 = 0o400;

/// A content-addressed store in a folder. Clones are handles on the same store; it may be
/// shared between threads and processes.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// The folders that were opened: from there the way to a file is shorter than from the root.
    folders: Arc<[OnceLock<OwnedFd>; Part::COUNT]>,
    pub(crate) leases: Arc<Leases>,
}

/// The folders right below the root.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Objects,
    Results,
    Runs,
    Scratch,
    Locks,
    Temporary,
    Cache,
    Leases,
    Pins,
    Quarantine,
    Running,
}

impl Part {
    const COUNT: usize = Self::Running as usize + 1;

    /// The parts that every store has.
    const ALL: [Self; 9] = [
        Self::Objects,
        Self::Results,
        Self::Runs,
        Self::Scratch,
        Self::Locks,
        Self::Temporary,
        Self::Cache,
        Self::Leases,
        Self::Pins,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Results => "results",
            Self::Runs => "runs",
            Self::Scratch => "scratch",
            Self::Locks => "locks",
            Self::Temporary => "tmp",
            Self::Cache => "cache",
            Self::Quarantine => "quarantine",
            Self::Running => "running",
            Self::Leases => "uses",
            Self::Pins => "pins",
        }
    }

    /// Whether a folder of this name is a part of the store.
    pub(crate) fn is_name(name: &str) -> bool {
        let made_when_needed = [Self::Quarantine, Self::Running];
        let mut parts = Self::ALL.iter().chain(&made_when_needed);
        parts.any(|part| part.name() == name)
    }
}

impl Store {
    /// Opens the store in `root`, creating it if there is none. Several processes may do so at
    /// once. Temporary files that a process left behind more than a day ago are removed.
    ///
    /// # Errors
    /// The store has an unknown format, or its folder cannot be made or read.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, StoreError> {
        let store = Self::at(root.as_ref())?;
        // Asked first: a store of another version is left exactly as it is.
        let exists = store.has_known_format()?;
        for part in Part::ALL {
            let folder = store.part(part);
            fs::create_dir_all(&folder).at("create the folder", &folder)?;
        }
        if !exists {
            store.write_format()?;
            if !store.has_known_format()? {
                return Err(StoreError::NotAStore { root: store.root });
            }
        }
        store.remove_abandoned();
        Ok(store)
    }

    /// Opens the store in `root`, which must be there. Nothing is written, so it serves for a
    /// store that may only be read.
    ///
    /// # Errors
    /// There is no store, it has an unknown format, or it cannot be read.
    pub fn open_existing(root: impl AsRef<Path>) -> Result<Self, StoreError> {
        let store = Self::at(root.as_ref())?;
        if store.has_known_format()? {
            Ok(store)
        } else {
            Err(StoreError::NotAStore { root: store.root })
        }
    }

    /// The folder of the store, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn at(root: &Path) -> Result<Self, StoreError> {
        // Workers run in folders of their own and are handed paths into the store.
        let root = std::path::absolute(root).at("locate", root)?;
        if let Some((link, target)) = dangling_link(&root) {
            return Err(StoreError::DanglingLink { root, link, target });
        }
        let leases = Arc::new(Leases::new(root.join(Part::Leases.name())));
        Ok(Self {
            root,
            folders: Arc::default(),
            leases,
        })
    }

    /// The stamp of what lies there below a part, if it is of this type.
    pub(crate) fn stamp(
        &self,
        part: Part,
        path: &str,
        file_type: FileType,
    ) -> Result<Option<Stamp>, StoreError> {
        let Some(folder) = present(self.folder(part))? else {
            return Ok(None);
        };
        Stamp::of_type(folder, Path::new(path), file_type)
            .or_else(|error| Err(error).at("inspect", &self.part(part).join(path)))
    }

    /// The open folder of a part.
    fn folder(&self, part: Part) -> Result<&OwnedFd, StoreError> {
        let opened = &self.folders[part as usize];
        if let Some(folder) = opened.get() {
            return Ok(folder);
        }
        let folder = disk::locate_folder(&self.part(part))?;
        Ok(opened.get_or_init(|| folder))
    }

    pub(crate) fn part(&self, part: Part) -> PathBuf {
        self.root.join(part.name())
    }

    fn format_path(&self) -> PathBuf {
        self.root.join("format")
    }

    /// Whether the store says its format (a store under creation does not yet), and it is ours.
    fn has_known_format(&self) -> Result<bool, StoreError> {
        let found = match disk::read(&self.format_path(), FORMAT_LIMIT) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(false);
            }
            Err(StoreError::TooLarge { .. }) => b"(a long text)".to_vec(),
            read => read?,
        };
        if found.strip_suffix(b"\n") == Some(FORMAT.as_bytes()) {
            return Ok(true);
        }
        let found = String::from_utf8_lossy(&found);
        Err(StoreError::UnknownFormat {
            root: self.root.clone(),
            found: found.trim_end().chars().take(40).collect(),
            known: FORMAT,
            advice: advice(&found),
        })
    }

    /// Written after the folders it promises, and never over another process's.
    fn write_format(&self) -> Result<(), StoreError> {
        let path = self.format_path();
        let temporary = self.temporary(format!("{FORMAT}\n").as_bytes())?;
        disk::sync(&[temporary.path().to_owned()])?;
        match temporary.persist_noclobber(&path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
                Err(error.error).at("create", &path)
            }
            _ => Ok(()),
        }?;
        let above = self.root.parent().unwrap_or(&self.root);
        disk::sync(&[self.root.clone(), above.to_owned()])
    }

    /// Best effort: a leftover costs some room and nothing else.
    fn remove_abandoned(&self) {
        let Ok(entries) = fs::read_dir(self.part(Part::Temporary)) else {
            return;
        };
        for entry in entries.flatten() {
            let age = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
                .and_then(|modified| modified.elapsed().ok());
            if age.is_some_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// An empty temporary file in the store's file system: what is written to it can become an
    /// object ([`Store::put_file`]), and otherwise goes when it is dropped.
    pub fn empty_temporary(&self) -> Result<NamedTempFile, StoreError> {
        let folder = self.part(Part::Temporary);
        NamedTempFile::new_in(&folder).at("create a temporary file in", &folder)
    }

    /// A read-only temporary file with these bytes.
    pub(crate) fn temporary(&self, bytes: &[u8]) -> Result<NamedTempFile, StoreError> {
        let mut temporary = self.empty_temporary()?;
        temporary
            .write_all(bytes)
            .and_then(|()| make_read_only(temporary.as_file()))
            .at("write", temporary.path())?;
        Ok(temporary)
    }

    /// Puts `bytes` at `path` in one step: any process finds the old file there or the new one.
    /// Only [`disk::sync`] makes the new one last through a power cut.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        persist(self.temporary(bytes)?, path)
    }
}

/// The link on the way to `path` that leads nowhere, and where it would lead.
fn dangling_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut above = path.ancestors();
    let last = above.find(|path| path.symlink_metadata().is_ok())?;
    let leads_nowhere = last
        .metadata()
        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    leads_nowhere.then(|| Some((last.to_owned(), last.read_link().ok()?)))?
}

/// Advice about a store whose `format` file has the content `found`.
fn advice(found: &str) -> &'static str {
    let version = |text: &str| {
        text.trim_end()
            .strip_prefix(FORMAT_NAME)?
            .parse::<u64>()
            .ok()
    };
    match (version(found), version(FORMAT)) {
        (Some(found), Some(known)) if found > known => {
            "a newer version of assay made it: update assay, or choose another folder with --store"
        }
        (Some(found), Some(known)) if found < known => {
            "an older version of assay made it, and nothing converts it: read it with that version, or \
             choose another folder with --store"
        }
        _ => {
            "no version of assay writes that: if it is a store, put its file `format` back from a copy; \
             else choose another folder with --store"
        }
    }
}

/// Gives a temporary file its name, and the folder for it if there is none.
pub(crate) fn persist(temporary: NamedTempFile, path: &Path) -> Result<(), StoreError> {
    create_parent(path)?;
    let persisted = temporary.persist(path);
    persisted.map_err(|error| error.error).at("create", path)?;
    Ok(())
}

pub(crate) fn make_read_only(file: &fs::File) -> io::Result<()> {
    let mode = READ_ONLY & !umask() | READ_ONLY_BY_USER;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// The permissions that new files of this process lack, as they were when this was first called.
/// The call that asks for them sets them too, for all threads, so the kernel's account is read; where
/// there is none, files are the user's alone.
fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        let mask = line.and_then(|line| u32::from_str_radix(line.trim(), 8).ok());
        mask.unwrap_or(0o077)
    })
}

/// Makes the folder that `path` is to lie in.
pub(crate) fn create_parent(path: &Path) -> Result<(), StoreError> {
    path.parent().map_or(Ok(()), |folder| {
        fs::create_dir_all(folder).at("create the folder", folder)
    })
}
