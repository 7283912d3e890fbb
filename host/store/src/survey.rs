//! Every name in the store's folders, and what is not named as anything in a store is. It looks
//! at entries and never at bytes; what cannot be listed is set down and passed over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::{ActionKey, ObjectHash, RunHash};

use crate::disk;
use crate::document::{marker_name, parse_marker};
use crate::error::{StoreError, present};
use crate::gate::is_gate;
use crate::object::file_name;
use crate::pin::parse_label;
use crate::result::parse_folder;
use crate::running;
use crate::store::{Part, Store};

/// Names that are allowed in the store's folder beside those of its parts.
const BESIDE: [&str; 3] = ["README.md", "format", "reports"];

/// The names in a store's folders, in the order of their paths.
#[derive(Debug, Default)]
pub struct Survey {
    /// The objects.
    pub objects: Vec<ObjectHash>,
    /// The markers of runs.
    pub markers: Vec<Marker>,
    /// The records of results: the action in whose folder each lies, and its file.
    pub records: Vec<(ActionKey, PathBuf)>,
    /// The files of pins.
    pub pins: Vec<PathBuf>,
    /// The working folders of actions that have not finished.
    pub scratch: Vec<PathBuf>,
    /// Files that are being written, or that a process left behind.
    pub temporary: Vec<PathBuf>,
    /// Entries among the objects, results, runs or pins that are none of these.
    pub foreign: Vec<PathBuf>,
    /// Entries elsewhere in the store that the store does not make.
    pub strange: Vec<PathBuf>,
    /// Folders that every store has and this one lacks.
    pub absent: Vec<PathBuf>,
    /// Folders that could not be listed, and why.
    pub unlisted: Vec<(PathBuf, StoreError)>,
}

/// A file whose name names a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The file.
    pub path: PathBuf,
    /// When the run began, in milliseconds since 1970 (UTC), as the name has it.
    pub started_ms: u64,
    /// The run.
    pub run: RunHash,
    /// Whether it is an empty file, as it should be.
    pub is_empty: bool,
}

impl Marker {
    /// Whether its name has this time, spelt as the store spells it.
    pub fn is_named(&self, started_ms: u64) -> bool {
        file_name(&self.path) == marker_name(started_ms, self.run)
    }
}

impl Store {
    /// Lists everything in the store.
    pub fn survey(&self) -> Survey {
        let mut survey = Survey::default();
        survey.add_objects(&self.part(Part::Objects));
        survey.add_results(&self.part(Part::Results));
        survey.add_runs(&self.part(Part::Runs));
        survey.add_pins(&self.part(Part::Pins));
        survey.add_workings(self);
        survey
    }
}

impl Survey {
    fn add_objects(&mut self, folder: &Path) {
        for shard in self.list_shards(folder) {
            for path in self.list(&shard) {
                match format!("{}{}", file_name(&shard), file_name(&path)).parse() {
                    Ok(object) => self.objects.push(object),
                    Err(_) => self.foreign.push(path),
                }
            }
        }
    }

    fn add_results(&mut self, folder: &Path) {
        for shard in self.list_shards(folder) {
            for folder in self.list(&shard) {
                match parse_folder(&shard, &folder).filter(|_| is_folder(&folder)) {
                    Some(key) => {
                        let records = self.list(&folder).into_iter();
                        self.records.extend(records.map(|path| (key, path)));
                    }
                    None => self.foreign.push(folder),
                }
            }
        }
    }

    fn add_runs(&mut self, folder: &Path) {
        for path in self.list_part(folder) {
            let Some((started_ms, run)) = parse_marker(file_name(&path)) else {
                self.foreign.push(path);
                continue;
            };
            let entry = fs::symlink_metadata(&path);
            self.markers.push(Marker {
                is_empty: entry.is_ok_and(|entry| entry.is_file() && entry.len() == 0),
                path,
                started_ms,
                run,
            });
        }
    }

    fn add_pins(&mut self, folder: &Path) {
        for path in self.list(folder) {
            match parse_label(&path) {
                Some(_) => self.pins.push(path),
                None => self.foreign.push(path),
            }
        }
    }

    /// Adds entries that cost only disk space: scratch folders, temporary files, and entries that
    /// the store does not make.
    fn add_workings(&mut self, store: &Store) {
        for path in self.list(&store.part(Part::Scratch)) {
            let is_action = file_name(&path).parse::<ActionKey>().is_ok();
            if is_action {
                self.scratch.push(path);
            } else {
                self.strange.push(path);
            }
        }
        self.temporary = self.list(&store.part(Part::Temporary));
        for path in self.list(&store.part(Part::Locks)) {
            let name = file_name(&path);
            let is_lock = is_gate(name) || name.parse::<ActionKey>().is_ok();
            if !is_lock || fs::symlink_metadata(&path).is_ok_and(|entry| !entry.is_file()) {
                self.strange.push(path);
            }
        }
        for path in self.list(&store.part(Part::Running)) {
            if !running::is_name(file_name(&path)) {
                self.strange.push(path);
            }
        }
        for path in self.list(store.root()) {
            let name = file_name(&path);
            if !(Part::is_name(name) || BESIDE.contains(&name)) {
                self.strange.push(path);
            }
        }
    }

    /// The folders `00` to `ff` of a part.
    fn list_shards(&mut self, part: &Path) -> Vec<PathBuf> {
        let mut shards = self.list_part(part);
        shards.retain(|shard| {
            let is_shard = is_shard(file_name(shard)) && is_folder(shard);
            if !is_shard {
                self.foreign.push(shard.clone());
            }
            is_shard
        });
        shards
    }

    /// The entries of a folder that every store has.
    fn list_part(&mut self, part: &Path) -> Vec<PathBuf> {
        if fs::symlink_metadata(part).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            self.absent.push(part.to_owned());
        }
        self.list(part)
    }

    /// The entries of a folder, sorted; none of one that is not there.
    fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        match present(disk::entries(folder)) {
            Ok(entries) => {
                let mut entries = entries.unwrap_or_default();
                entries.sort_unstable();
                entries
            }
            Err(error) => {
                self.unlisted.push((folder.to_owned(), error));
                Vec::new()
            }
        }
    }
}

/// A folder itself, and not a link to one.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|entry| entry.is_dir())
}

fn is_shard(name: &str) -> bool {
    let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    name.len() == 2 && name.bytes().all(is_hex)
}
