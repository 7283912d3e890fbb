//! Gathers everything unreached, in the order in which it may be removed, and removes it. Markers
//! and records are removed, and their removal flushed, before any object that they refer to, so
//! that a crash leaves none that refers to missing data.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::graph::Closure;
use assay_core::{ActionKey, ObjectHash};
use assay_files::Content;

use super::records::Records;
use super::retention::{Retention, Runs};
use super::{Amount, Collection, GarbageFile, GarbageItem, GarbageKind};
use crate::disk;
use crate::error::{At, StoreError, present};
use crate::gate::{is_gate, is_locked};
use crate::index::Index;
use crate::object::file_name;
use crate::store::{ABANDONED, Part, Store};

/// Items to remove and amounts that stay, while they are gathered.
pub(super) struct Sweep<'a> {
    store: &'a Store,
    retention: &'a Retention,
    items: Vec<GarbageFile>,
    kept: BTreeMap<GarbageKind, Amount>,
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

    pub(super) fn finish(mut self) -> (Vec<GarbageFile>, BTreeMap<GarbageKind, Amount>) {
        // Within a kind the order is the one in which they came.
        self.items.sort_by_key(super::GarbageFile::kind);
        (self.items, self.kept)
    }

    fn goes(&mut self, item: GarbageItem, path: PathBuf, bytes: u64) {
        self.items.push(GarbageFile { item, path, bytes });
    }

    fn stays(&mut self, kind: GarbageKind, bytes: u64) {
        self.kept.entry(kind).or_default().add(bytes);
    }

    pub(super) fn runs(&mut self, runs: &Runs) {
        for _ in &runs.kept {
            self.stays(GarbageKind::Runs, 0);
        }
        for dropped in &runs.dropped {
            let item = GarbageItem::Run {
                run: dropped.hash,
                pipeline: dropped.run.pipeline.clone(),
                started_ms: dropped.started_ms,
            };
            let path = self.store.marker_path(dropped.started_ms, dropped.hash);
            self.goes(item, path, 0);
        }
    }

    /// The newest first: what a result rests on is older than it.
    pub(super) fn results(&mut self, index: &Index, records: &Records, kept: &Closure) {
        let mut by_age: Vec<_> = records.by_action.iter().collect();
        by_age.sort_by_key(|(_, records)| std::cmp::Reverse(records.ended_ms));
        for (&action, records) in by_age {
            for (path, bytes) in &records.files {
                if kept.actions.contains(&action) {
                    self.stays(GarbageKind::Results, *bytes);
                } else {
                    let kind = index.document(action).map(|document| document.kind);
                    self.goes(GarbageItem::Result { action, kind }, path.clone(), *bytes);
                }
            }
        }
    }

    pub(super) fn objects(
        &mut self,
        index: &Index,
        runs: &Runs,
        kept: &Closure,
    ) -> Result<(), StoreError> {
        let documents = documents(index, runs);
        let mut files = Vec::new();
        // Entries without an object's name are not collected.
        for object in self.store.objects("")?.into_iter().flatten() {
            // A folder in an object's place is no object either.
            let Some(bytes) = self.store.size(object)? else {
                continue;
            };
            if kept.objects.contains(&object) {
                self.stays(GarbageKind::Objects, bytes);
            } else if documents.contains(&object) {
                self.goes(
                    GarbageItem::Object(object),
                    self.store.object_path(object),
                    bytes,
                );
            } else {
                files.push((object, bytes));
            }
        }
        for (object, bytes) in files {
            self.goes(
                GarbageItem::Object(object),
                self.store.object_path(object),
                bytes,
            );
        }
        Ok(())
    }

    /// Working folders that go, of those that there are. Gives the actions whose folders stay.
    pub(super) fn scratch(
        &mut self,
        index: &Index,
        folders: Vec<(ActionKey, PathBuf)>,
    ) -> Result<Vec<ActionKey>, StoreError> {
        let mut unfinished = Vec::new();
        for (key, path) in folders {
            // A worker may remove its folder at any time.
            let Some(Content { bytes, written_ms }) = measure(&path)? else {
                continue;
            };
            let goes = !self.is_at_work(key)?
                && (self.has_result(index, key)? || !self.retention.is_young(written_ms));
            if goes {
                self.goes(GarbageItem::Scratch, path, bytes);
            } else {
                unfinished.push(key);
                self.stays(GarbageKind::Scratch, bytes);
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

    fn has_result(&self, index: &Index, key: ActionKey) -> Result<bool, StoreError> {
        for (_, result) in index.results(key) {
            if self.store.is_intact(result.artifact)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Temporary files that nobody writes to any more, locks that nobody holds, the leases of processes
    /// that have ended, and the logs of runs that were killed.
    pub(super) fn rest(&mut self, dead_leases: Vec<PathBuf>) -> Result<(), StoreError> {
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
                self.stays(GarbageKind::Temporary, bytes);
            } else {
                self.goes(GarbageItem::Temporary, path, bytes);
            }
        }
        for path in disk::entries(&self.store.part(Part::Locks))? {
            let Some((file, metadata)) = disk::open_if_there(&path)? else {
                continue;
            };
            if is_gate(file_name(&path)) || is_locked(&file, &path)? {
                self.stays(GarbageKind::Locks, metadata.len());
            } else {
                self.goes(GarbageItem::Lock, path, metadata.len());
            }
        }
        for path in dead_leases.into_iter().chain(self.store.dead_run_logs()?) {
            if let Some((_, metadata)) = disk::open_if_there(&path)? {
                self.goes(GarbageItem::Lock, path, metadata.len());
            }
        }
        Ok(())
    }
}

/// The objects that name others, as far as something that may go says so.
fn documents(index: &Index, runs: &Runs) -> HashSet<ObjectHash> {
    let dropped = runs.dropped.iter().map(|dropped| dropped.hash.into());
    let actions = index.actions().keys().map(|key| (*key).into());
    let results = index.actions().values().flat_map(|entry| &entry.results);
    let artifacts = results.map(|(_, result)| result.artifact.into());
    dropped.chain(actions).chain(artifacts).collect()
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
    pub fn remove(&self, mut removed: impl FnMut(&GarbageFile)) -> Result<(), StoreError> {
        let mut at = 0;
        let items = &self.garbage.items;
        while let Some(first) = items.get(at) {
            let kind = first.kind();
            let count = items[at..]
                .iter()
                .take_while(|item| item.kind() == kind)
                .count();
            for item in &items[at..at + count] {
                remove(item)?;
                removed(item);
            }
            if kind < GarbageKind::Objects {
                flush(&items[at..at + count])?;
            }
            at += count;
        }
        Ok(())
    }
}

fn remove(item: &GarbageFile) -> Result<(), StoreError> {
    let path = &item.path;
    let gone = match item.item {
        GarbageItem::Scratch | GarbageItem::Temporary => assay_files::remove(path),
        _ => fs::remove_file(path),
    };
    match gone {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("remove", path),
        _ => Ok(()),
    }
}

/// Makes removals last through a power cut, less the folders that they leave empty.
fn flush(items: &[GarbageFile]) -> Result<(), StoreError> {
    let mut folders = BTreeSet::new();
    for item in items {
        let folder = item.path.parent().unwrap_or(&item.path);
        let emptied =
            matches!(item.item, GarbageItem::Result { .. }) && fs::remove_dir(folder).is_ok();
        let folder = if emptied {
            folder.parent()
        } else {
            Some(folder)
        };
        folders.extend(folder.filter(|folder| folder.exists()).map(Path::to_owned));
    }
    disk::sync(&Vec::from_iter(folders))
}
