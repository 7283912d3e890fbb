//! Loads the documents of a store into an index, those that the cache has from there. Documents are
//! read by as many threads as there are processors, and added in the order of their names.

use std::collections::BTreeMap;

use assay_core::graph::{ActionEntry, ActionSummary, Node};
use assay_core::{ActionKey, Artifact, Record, Run, RunHash};
use rayon::prelude::*;

use super::Index;
use super::listing::Listing;
use super::packed::{Cache, PackedAction, PackedRun};
use crate::error::StoreError;
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

/// A document, or why it cannot be read.
struct Loaded<T> {
    document: Result<T, StoreError>,
    is_cached: bool,
}

impl<T> Loaded<T> {
    /// The document, from the cache or else from the store.
    fn new(cached: Option<T>, read: impl FnOnce() -> Result<T, StoreError>) -> Self {
        Self {
            is_cached: cached.is_some(),
            document: cached.map_or_else(read, Ok),
        }
    }
}

/// An action to load.
struct ActionRequest {
    key: ActionKey,
    /// Whether a run or a pin names it, or whoever asks for the index does.
    is_named: bool,
    /// The stamp of the folder of its records, if it has one and that is known.
    stamp: Option<Stamp>,
    cached: Option<PackedAction>,
}

/// An action with what was read of it.
struct LoadedAction {
    key: ActionKey,
    is_named: bool,
    stamp: Option<Stamp>,
    document: Loaded<ActionSummary>,
    records: LoadedRecords,
}

/// The records of an action.
enum LoadedRecords {
    /// As the cache has them: their folder is as it was.
    Cached(Vec<Record>),
    /// As the store has them.
    Read(Vec<Result<Record, StoreError>>),
}

impl ActionRequest {
    fn load(self, store: &Store) -> Result<LoadedAction, StoreError> {
        let Self {
            key,
            is_named,
            stamp,
            cached,
        } = self;
        let (document, records) = match cached {
            Some(cached) if stamp.is_some() && cached.folder == stamp => {
                (cached.document, Some(cached.results))
            }
            Some(cached) => (cached.document, None),
            None => (None, None),
        };
        let records = match records {
            Some(records) => LoadedRecords::Cached(records.into_iter().map(Record::from).collect()),
            None => LoadedRecords::Read(store.records(key)?),
        };
        Ok(LoadedAction {
            key,
            is_named,
            stamp,
            document: Loaded::new(document, || store.action(key).map(Into::into)),
            records,
        })
    }
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

    /// Loads everything in a listing, and these actions too.
    pub(super) fn all(
        &mut self,
        listing: Listing,
        more: impl IntoIterator<Item = ActionKey>,
    ) -> Result<(), StoreError> {
        self.index.unreadable.extend(listing.unreadable);
        self.runs(listing.runs);
        self.pins(listing.pins);
        self.actions(listing.folders, more)?;
        self.artifacts();
        Ok(())
    }

    /// The runs that markers name.
    fn runs(&mut self, markers: Vec<(u64, RunHash)>) {
        let markers = markers.into_iter();
        let requests =
            markers.map(|(started_ms, hash)| (started_ms, hash, self.cache.runs.remove(&hash)));
        let requests: Vec<_> = requests.collect();
        let loaded = requests
            .into_par_iter()
            .map(|(started_ms, hash, cached)| (started_ms, hash, self.load_run(hash, cached)));
        let loaded: Vec<_> = loaded.collect();
        for (started_ms, hash, run) in loaded {
            self.add_run(hash, Some(started_ms), run);
        }
    }

    /// The pins, and the runs that only they name.
    fn pins(&mut self, pins: BTreeMap<String, Node>) {
        for (label, node) in pins {
            if let Node::Run(run) = node
                && !self.index.graph.runs().contains_key(&run)
            {
                let cached = self.cache.runs.remove(&run);
                let loaded = self.load_run(run, cached);
                self.add_run(run, None, loaded);
            }
            self.index.graph.add_pin(label, node);
        }
    }

    fn load_run(&self, hash: RunHash, cached: Option<PackedRun>) -> Loaded<Run> {
        Loaded::new(cached.map(Run::from), || self.store.run(hash))
    }

    fn add_run(&mut self, hash: RunHash, started_ms: Option<u64>, loaded: Loaded<Run>) {
        if let Some(run) = self.document(Node::Run(hash), loaded) {
            let started_ms = started_ms.unwrap_or(run.started_ms);
            self.index.graph.add_run(hash, started_ms, run);
        }
    }

    /// The actions that runs, pins and records name, and these.
    fn actions(
        &mut self,
        folders: Vec<RecordFolder>,
        more: impl IntoIterator<Item = ActionKey>,
    ) -> Result<(), StoreError> {
        // An action that has no results has no folder of them, or an empty one.
        let named = self.index.graph.named_actions().into_iter().chain(more);
        let mut keys: BTreeMap<_, _> = named.map(|key| (key, (true, None))).collect();
        for RecordFolder { action, stamp } in folders {
            keys.entry(action).or_insert((false, None)).1 = stamp;
        }
        let requests = keys
            .into_iter()
            .map(|(key, (is_named, stamp))| ActionRequest {
                key,
                is_named,
                stamp,
                cached: self.cache.actions.remove(&key),
            });
        let requests: Vec<_> = requests.collect();
        let loaded = requests
            .into_par_iter()
            .map(|request| request.load(self.store));
        let loaded: Vec<_> = loaded.collect();
        for action in loaded {
            self.add_action(action?);
        }
        Ok(())
    }

    fn add_action(&mut self, loaded: LoadedAction) {
        let LoadedAction {
            key,
            is_named,
            stamp,
            document,
            records,
        } = loaded;
        let is_cached = matches!(records, LoadedRecords::Cached(_));
        let (results, is_whole) = match records {
            LoadedRecords::Cached(results) => (results, true),
            LoadedRecords::Read(records) => self.readable(records),
        };
        if is_whole && let Some(stamp) = stamp {
            self.folders.insert(key, stamp);
            self.learnt |= !is_cached;
        }
        // A process that died before its first record leaves an empty folder.
        if results.is_empty() && is_whole && !is_named {
            return;
        }
        let document = self.document(Node::Action(key), document);
        let entry = ActionEntry { document, results };
        self.index.graph.add_action(key, entry);
    }

    /// The records that could be read, and whether that is all of them.
    fn readable(&mut self, records: Vec<Result<Record, StoreError>>) -> (Vec<Record>, bool) {
        let count = records.len();
        let mut results = Vec::with_capacity(count);
        for record in records {
            match record {
                Ok(record) => results.push(record),
                Err(error) => self.index.unreadable.push(error),
            }
        }
        let is_whole = results.len() == count;
        (results, is_whole)
    }

    /// The artifacts that everything loaded so far names.
    fn artifacts(&mut self) {
        let named = self.index.graph.named_artifacts().into_iter();
        let requests = named.map(|hash| (hash, self.cache.artifacts.remove(&hash)));
        let requests: Vec<(_, Option<Artifact>)> = requests.collect();
        let loaded = requests
            .into_par_iter()
            .map(|(hash, cached)| (hash, Loaded::new(cached, || self.store.artifact(hash))));
        let loaded: Vec<_> = loaded.collect();
        for (hash, artifact) in loaded {
            if let Some(artifact) = self.document(Node::Artifact(hash), artifact) {
                self.index.graph.add_artifact(hash, artifact);
            }
        }
    }

    /// The document, if it could be read; one that could not is noted.
    fn document<T>(&mut self, node: Node, loaded: Loaded<T>) -> Option<T> {
        match loaded.document {
            Ok(document) => {
                self.learnt |= !loaded.is_cached;
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
