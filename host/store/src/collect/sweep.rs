//! Gathers everything unreached, in the order in which it may be removed, and removes it. Markers
//! and records are removed, and their removal flushed, before any object that they refer to, so
//! that a crash leaves none that refers to missing data.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::{ActionKey, ObjectHash, StageKind};
use assay_files::Content;

use super::mark::Marks;
use super::records::Records;
use super::retention::{MarkedRun, Retention, Runs};
use super::{Amount, Collection, Item, Sort, Waste};
use crate::disk;
use crate::error::{At, StoreError, present};
use crate::gate::{is_gate, is_locked};
use crate::object::file_name;
use crate::store::{ABANDONED, Part, Store};

/// Items to remove and amounts that stay, while they are gathered.
pub(super) struct Sweep<'a> {
    store: &'a Store,
    retention: &'a Retention,
    items: Vec<Item>,
    kept: BTreeMap<Sort, Amount>,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(store: &'a Store, retention: &'a Retention) -> Self {
        Self {
            store,
            retention,
            items: Vec::new(),
            kept: BTreeMap::new(),
        }
    }

    pub(super) fn finish(mut self) -> (Vec<Item>, BTreeMap<Sort, Amount>) {
        // Within a sort the order is the one in which they came.
        self.items.sort_by_key(|item| item.waste.sort());
        (self.items, self.kept)
    }

    fn goes(&mut self, waste: Waste, path: PathBuf, bytes: u64) {
        self.items.push(Item { waste, path, bytes });
    }

    fn stays(&mut self, sort: Sort, bytes: u64) {
        self.kept.entry(sort).or_default().add(bytes);
    }

    pub(super) fn runs(&mut self, runs: &Runs) {
        for _ in &runs.kept {
            self.stays(Sort::Runs, 0);
        }
        for marked in &runs.dropped {
            let pipeline = marked.run.as_ref().map(|run| run.pipeline.clone());
            let waste = Waste::Run {
                run: marked.hash,
                pipeline: pipeline.unwrap_or_default(),
                started_ms: marked.started_ms,
            };
            let path = self.store.marker_path(marked.started_ms, marked.hash);
            self.goes(waste, path, 0);
        }
    }

    /// The newest first: what a result rests on is older than it.
    pub(super) fn results(
        &mut self,
        records: &Records,
        marks: &Marks<'_>,
        kinds: &HashMap<ActionKey, StageKind>,
    ) {
        let mut by_age: Vec<_> = records.by_action.iter().collect();
        by_age.sort_by_key(|(_, records)| std::cmp::Reverse(records.ended_ms));
        for (&action, records) in by_age {
            for (path, bytes) in &records.files {
                if marks.actions.contains(&action) {
                    self.stays(Sort::Results, *bytes);
                } else {
                    let kind = kinds.get(&action).copied();
                    self.goes(Waste::Result { action, kind }, path.clone(), *bytes);
                }
            }
        }
    }

    pub(super) fn objects(
        &mut self,
        marks: &Marks<'_>,
        runs: &Runs,
        records: &Records,
    ) -> Result<(), StoreError> {
        let documents = documents(&runs.dropped, records);
        let mut files = Vec::new();
        // Entries without an object's name are not collected.
        for object in self.store.objects("")?.into_iter().flatten() {
            // A folder in an object's place is no object either.
            let Some(bytes) = self.store.size(object)? else {
                continue;
            };
            if marks.objects.contains(&object) {
                self.stays(Sort::Objects, bytes);
            } else if documents.contains(&object) {
                self.goes(Waste::Object(object), self.store.object_path(object), bytes);
            } else {
                files.push((object, bytes));
            }
        }
        for (object, bytes) in files {
            self.goes(Waste::Object(object), self.store.object_path(object), bytes);
        }
        Ok(())
    }

    /// Working folders that go. Gives the actions whose folders stay.
    pub(super) fn scratch(&mut self, records: &Records) -> Result<Vec<ActionKey>, StoreError> {
        let mut unfinished = Vec::new();
        for path in disk::entries(&self.store.part(Part::Scratch))? {
            let Ok(key) = file_name(&path).parse() else {
                continue;
            };
            // A worker may remove its folder at any time.
            let Some(Content { bytes, written_ms }) = measure(&path)? else {
                continue;
            };
            let goes = !self.is_at_work(key)?
                && (self.has_result(key, records)? || !self.retention.is_young(written_ms));
            if goes {
                self.goes(Waste::Scratch, path, bytes);
            } else {
                unfinished.push(key);
                self.stays(Sort::Scratch, bytes);
            }
        }
        Ok(unfinished)
    }

    fn is_at_work(&self, key: ActionKey) -> Result<bool, StoreError> {
        let path = self.store.part(Part::Locks).join(key.to_string());
        match disk::open_if_there(&path)? {
            Some((file, _)) => is_locked(&file, &path),
            None => Ok(false),
        }
    }

    fn has_result(&self, key: ActionKey, records: &Records) -> Result<bool, StoreError> {
        let records = records.by_action.get(&key);
        for result in records.into_iter().flat_map(|records| &records.results) {
            if self.store.is_intact(result.artifact)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Temporary files that nobody writes to any more, locks that nobody holds, and the lists of
    /// processes that have ended.
    pub(super) fn rest(&mut self, dead_lists: Vec<PathBuf>) -> Result<(), StoreError> {
        let folder = self.store.part(Part::Temporary);
        let abandoned = Retention {
            grace: ABANDONED,
            ..*self.retention
        };
        // Temporary files have hidden names.
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let path = entry.at("list", &folder)?.path();
            let Some(Content { bytes, written_ms }) = measure(&path)? else {
                continue;
            };
            if abandoned.is_young(written_ms) {
                self.stays(Sort::Temporary, bytes);
            } else {
                self.goes(Waste::Temporary, path, bytes);
            }
        }
        for path in disk::entries(&self.store.part(Part::Locks))? {
            let Some((file, metadata)) = disk::open_if_there(&path)? else {
                continue;
            };
            if is_gate(file_name(&path)) || is_locked(&file, &path)? {
                self.stays(Sort::Locks, metadata.len());
            } else {
                self.goes(Waste::Lock, path, metadata.len());
            }
        }
        for path in dead_lists {
            if let Some((_, metadata)) = disk::open_if_there(&path)? {
                self.goes(Waste::Lock, path, metadata.len());
            }
        }
        Ok(())
    }
}

/// The objects that name others, as far as something that goes says so.
fn documents(dropped: &[MarkedRun], records: &Records) -> HashSet<ObjectHash> {
    let runs = dropped.iter().map(|marked| marked.hash.into());
    let actions = records.by_action.keys().map(|key| (*key).into());
    let results = records.by_action.values();
    let results = results.flat_map(|records| &records.results);
    let artifacts = results.map(|result| result.artifact.into());
    runs.chain(actions).chain(artifacts).collect()
}

fn measure(path: &Path) -> Result<Option<Content>, StoreError> {
    present(assay_files::measure(path).at("look through", path))
}

impl Collection {
    /// Removes the garbage. `removed` is told of each item as it goes. Stopped at any moment, what
    /// is left can be collected by the next.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn remove(&self, mut removed: impl FnMut(&Item)) -> Result<(), StoreError> {
        let mut at = 0;
        let items = &self.garbage.items;
        while let Some(first) = items.get(at) {
            let sort = first.waste.sort();
            let count = items[at..]
                .iter()
                .take_while(|item| item.waste.sort() == sort)
                .count();
            for item in &items[at..at + count] {
                remove(item)?;
                removed(item);
            }
            if sort < Sort::Objects {
                flush(&items[at..at + count])?;
            }
            at += count;
        }
        Ok(())
    }
}

fn remove(item: &Item) -> Result<(), StoreError> {
    let path = &item.path;
    let gone = match item.waste {
        Waste::Scratch | Waste::Temporary => assay_files::remove(path),
        _ => fs::remove_file(path),
    };
    match gone {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("remove", path),
        _ => Ok(()),
    }
}

/// Makes removals last through a power cut, less the folders that they leave empty.
fn flush(items: &[Item]) -> Result<(), StoreError> {
    let mut folders = BTreeSet::new();
    for item in items {
        let folder = item.path.parent().unwrap_or(&item.path);
        let emptied = matches!(item.waste, Waste::Result { .. }) && fs::remove_dir(folder).is_ok();
        let folder = if emptied {
            folder.parent()
        } else {
            Some(folder)
        };
        folders.extend(folder.filter(|folder| folder.exists()).map(Path::to_owned));
    }
    disk::sync(&Vec::from_iter(folders))
}
