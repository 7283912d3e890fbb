//! The shared libraries that a plugin may bring in: those that lie in the folders that it, the
//! environment or one of those libraries names.
//!
//! A plugin says itself where its libraries are, so that is not trusted: of a folder that it
//! names, only those files are ever readable that are called like libraries and are, behind any
//! link, regular files that this machine could load.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, ReadDir};
use std::path::{Path, PathBuf};

use crate::elf::{self, Dynamic};
use crate::environment::library_path;

/// Bounds of the search: libtorch with CUDA lies in twenty folders, and the libraries of a whole
/// scientific distribution are two thousand.
const MOST_FOLDERS: usize = 64;
const MOST_NAMES: usize = 1000;
const MOST_ENTRIES: usize = 100_000;
const MOST_LIBRARIES: usize = 10_000;

/// The libraries that loading a plugin may need, outside of the folders of the system, each
/// opened: what is behind a name later does not matter.
pub(super) struct Libraries<'a> {
    /// Folders that need no search.
    system: &'a [&'a str],
    /// Every folder that was named, as it was.
    named: BTreeSet<PathBuf>,
    /// Those that were not looked at yet.
    waiting: Vec<PathBuf>,
    /// The folders searched, without links.
    searched: BTreeSet<PathBuf>,
    /// The folder that is being searched, and what of it is left.
    current: Option<(PathBuf, ReadDir)>,
    /// Entries and libraries that may still be looked at.
    entries_left: usize,
    files_left: usize,
}

impl<'a> Libraries<'a> {
    /// Those that loading `plugin` may need.
    pub(super) fn of(plugin: &Path, system: &'a [&'a str]) -> Self {
        let mut libraries = Self {
            system,
            named: BTreeSet::new(),
            waiting: Vec::new(),
            searched: BTreeSet::new(),
            current: None,
            entries_left: MOST_ENTRIES,
            files_left: MOST_LIBRARIES,
        };
        libraries.name(library_path());
        if let (Some(library), Some(folder)) = (elf::open(plugin), plugin.parent()) {
            libraries.name(run_path(&library, folder));
        }
        libraries
    }

    fn name(&mut self, folders: Vec<PathBuf>) {
        for folder in folders {
            if self.named.len() < MOST_NAMES && self.named.insert(folder.clone()) {
                self.waiting.push(folder);
            }
        }
    }

    /// The next folder that was not searched yet.
    fn next_folder(&mut self) -> Option<(PathBuf, ReadDir)> {
        while let Some(folder) = self.waiting.pop() {
            let Ok(folder) = folder.canonicalize() else {
                continue;
            };
            let of_system = self.system.iter().any(|system| folder.starts_with(system));
            if of_system || self.searched.len() == MOST_FOLDERS || self.searched.contains(&folder) {
                continue;
            }
            self.searched.insert(folder.clone());
            if let Ok(entries) = fs::read_dir(&folder) {
                return Some((folder, entries));
            }
        }
        None
    }
}

impl Iterator for Libraries<'_> {
    type Item = File;

    fn next(&mut self) -> Option<File> {
        while self.entries_left > 0 && self.files_left > 0 {
            let (folder, mut entries) = match self.current.take() {
                Some(current) => current,
                None => self.next_folder()?,
            };
            let Some(entry) = entries.next() else {
                continue;
            };
            let origin = folder.clone();
            self.current = Some((folder, entries));
            self.entries_left -= 1;
            let Ok(entry) = entry else {
                continue;
            };
            if is_library_name(&entry.file_name())
                && let Some(library) = elf::open(&entry.path())
            {
                let folders = run_path(&library, &origin);
                self.name(folders);
                self.files_left -= 1;
                return Some(library);
            }
        }
        None
    }
}

/// Whether a file is called like a library: `lib*.so` or `lib*.so.*`.
fn is_library_name(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.starts_with("lib") && name.split('.').skip(1).any(|part| part == "so")
    })
}

/// The folders that a library, found in `origin`, tells the loader to search.
fn run_path(library: &File, origin: &Path) -> Vec<PathBuf> {
    let folders = Dynamic::of(library, origin).folders();
    folders.take(MOST_FOLDERS).collect()
}
