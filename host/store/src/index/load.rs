//! Loads the documents of a store into an index, those that the cache has from there.

use std::collections::BTreeMap;

use assay_core::graph::{ActionEntry, Node};
use assay_core::{ActionKey, Artifact, Record, Run, RunHash};

use super::Index;
use super::cache::Cache;
use crate::error::{StoreError, present};
use crate::result::RecordFolder;
use crate::stamp::Stamp;
use crate::store::Store;

/// An index that is being loaded.
pub(super) struct Loading<'a> {
    store: &'a Store,
    cache: Cache,
    pub(super) index: Index,
    /// The stamps of the folders of records that need not be read again until they change.
    pub(super) folders: BTreeMap<ActionKey, Stamp>,
    /// Whether something was read that the cache has not.
    pub(super) learnt: bool,
}

impl<'a> Loading<'a> {
    pub(super) fn new(store: &'a Store, cache: Cache) -> Self {
        Self {
            store,
            cache,
            index: Index::default(),
            folders: BTreeMap::new(),
            learnt: false,
        }
    }

    /// Loads everything, and these actions too.
    pub(super) fn all(
        &mut self,
        more: impl IntoIterator<Item = ActionKey>,
    ) -> Result<(), StoreError> {
        for (started_ms, hash) in self.store.runs()? {
            self.run(hash, Some(started_ms));
        }
        self.pins()?;
        // An action that has no results has no folder of them, or an empty one.
        let named = self.index.graph.named_actions().into_iter().chain(more);
        let mut keys: BTreeMap<_, _> = named.map(|key| (key, (true, None))).collect();
        for RecordFolder { action, stamp } in self.store.record_folders()? {
            keys.entry(action).or_insert((false, None)).1 = stamp;
        }
        for (key, (is_named, stamp)) in keys {
            self.action(key, is_named, stamp)?;
        }
        for hash in self.index.graph.named_artifacts() {
            let cached: Option<Artifact> = self.cache.artifacts.remove(&hash);
            let read = |store: &Store| store.artifact(hash);
            if let Some(artifact) = self.document(cached, Node::Artifact(hash), read) {
                self.index.graph.add_artifact(hash, artifact);
            }
        }
        Ok(())
    }

    /// The pins, and the runs that only they name.
    fn pins(&mut self) -> Result<(), StoreError> {
        for path in self.store.pin_paths()? {
            // One may have been removed since it was listed.
            match present(self.store.pin_at(&path)) {
                Ok(Some((label, node))) => {
                    if let Node::Run(run) = node
                        && !self.index.graph.runs().contains_key(&run)
                    {
                        self.run(run, None);
                    }
                    self.index.graph.add_pin(label, node);
                }
                Ok(None) => {}
                Err(error) => self.index.unreadable.push(error),
            }
        }
        Ok(())
    }

    fn run(&mut self, hash: RunHash, started_ms: Option<u64>) {
        let cached = self.cache.runs.remove(&hash).map(Run::from);
        if let Some(run) = self.document(cached, Node::Run(hash), |store| store.run(hash)) {
            let started_ms = started_ms.unwrap_or(run.started_ms);
            self.index.graph.add_run(hash, started_ms, run);
        }
    }

    fn action(
        &mut self,
        key: ActionKey,
        is_named: bool,
        stamp: Option<Stamp>,
    ) -> Result<(), StoreError> {
        let cached = self.cache.actions.remove(&key);
        let (document, known) = match cached {
            Some(known) => (known.document, Some((known.folder, known.results))),
            None => (None, None),
        };
        let results = match (known, stamp) {
            (Some((folder, results)), Some(stamp)) if folder.as_ref() == Some(&stamp) => {
                self.folders.insert(key, stamp);
                results.into_iter().map(Record::from).collect()
            }
            (_, stamp) => {
                let (results, is_whole) = self.results(key, stamp)?;
                // A process that died before its first record leaves an empty folder.
                if results.is_empty() && is_whole && !is_named {
                    return Ok(());
                }
                results
            }
        };
        let read = |store: &Store| store.action(key).map(Into::into);
        let document = self.document(document, Node::Action(key), read);
        let entry = ActionEntry { document, results };
        self.index.graph.add_action(key, entry);
        Ok(())
    }

    /// The results of an action from its records, and whether all of these could be read.
    fn results(
        &mut self,
        key: ActionKey,
        stamp: Option<Stamp>,
    ) -> Result<(Vec<Record>, bool), StoreError> {
        let mut results = Vec::new();
        let mut is_whole = true;
        for record in self.store.records(key)? {
            match record {
                Ok(record) => results.push(record),
                Err(error) => {
                    is_whole = false;
                    self.index.unreadable.push(error);
                }
            }
        }
        if let Some(stamp) = stamp.filter(|_| is_whole) {
            self.folders.insert(key, stamp);
            self.learnt = true;
        }
        Ok((results, is_whole))
    }

    /// The document, from the cache or else from the store. One that cannot be read is noted.
    fn document<T>(
        &mut self,
        cached: Option<T>,
        node: Node,
        read: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Option<T> {
        if cached.is_some() {
            return cached;
        }
        match read(self.store) {
            Ok(document) => {
                self.learnt = true;
                Some(document)
            }
            Err(error) => {
                self.index.graph.add_damaged(node);
                self.index.unreadable.push(error);
                None
            }
        }
    }
}
