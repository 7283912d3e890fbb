//! Reads the documents of a store into an index, those that are remembered from memory.

use std::collections::{BTreeMap, BTreeSet};

use assay_core::{Action, ActionKey, Artifact, ArtifactHash, Run, RunHash};
use assay_store::{Pinned, Record, RecordFolder, Stamp, Store, StoreError};

use super::remembered::Remembered;
use super::{ActionEntry, ActionSummary, Index, Role, RunEntry, StageUse, Unreadable};

/// A reading of a store.
pub(super) struct Reading<'a> {
    store: &'a Store,
    remembered: Remembered,
    pub(super) index: Index,
    /// The stamps of the folders of records that need not be read again until they change.
    pub(super) folders: BTreeMap<ActionKey, Stamp>,
    /// Whether something was read that was not remembered.
    pub(super) learnt: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(store: &'a Store, remembered: Remembered) -> Self {
        Self {
            store,
            remembered,
            index: Index::default(),
            folders: BTreeMap::new(),
            learnt: false,
        }
    }

    pub(super) fn all(&mut self) -> Result<(), StoreError> {
        for (started_ms, hash) in self.store.runs()? {
            self.run(hash, Some(started_ms));
        }
        self.pins()?;
        // An action that has no results has no folder of them, or an empty one.
        let mut keys: BTreeMap<_, _> = self.named_actions().map(|key| (key, None)).collect();
        for RecordFolder { action, stamp } in self.store.record_folders()? {
            keys.insert(action, stamp);
        }
        for (key, stamp) in keys {
            self.action(key, stamp)?;
        }
        let named: BTreeSet<_> = self.index.artifacts_named().collect();
        for hash in named {
            self.artifact(hash);
        }
        Ok(())
    }

    /// The pins, and the runs that only they name.
    fn pins(&mut self) -> Result<(), StoreError> {
        for path in self.store.pin_paths()? {
            match self.store.pin_at(&path) {
                Ok((label, pinned)) => {
                    if let Pinned::Run(run) = pinned
                        && !self.index.runs.contains_key(&run)
                    {
                        self.run(run, None);
                    }
                    self.index.pins.insert(label, pinned);
                }
                Err(error) => {
                    let label = path.file_name().unwrap_or_default();
                    self.note(Role::Pin(label.to_string_lossy().into_owned()), error);
                }
            }
        }
        Ok(())
    }

    /// The actions that runs and pins name.
    fn named_actions(&self) -> impl Iterator<Item = ActionKey> {
        let pinned = self.index.pins.values().filter_map(|pinned| match pinned {
            Pinned::Action(key) => Some(*key),
            _ => None,
        });
        self.index.stages.keys().copied().chain(pinned)
    }

    fn is_named(&self, key: ActionKey) -> bool {
        let is_it = |pinned: &Pinned| *pinned == Pinned::Action(key);
        self.index.stages.contains_key(&key) || self.index.pins.values().any(is_it)
    }

    fn run(&mut self, hash: RunHash, started_ms: Option<u64>) {
        let remembered = self.remembered.runs.remove(&hash).map(Run::from);
        let Some(run) = self.document(remembered, Role::Run(hash), |store| store.run(hash)) else {
            return;
        };
        self.add_stages(hash, &run);
        let started_ms = started_ms.unwrap_or(run.started_ms);
        self.index.runs.insert(hash, RunEntry { started_ms, run });
    }

    fn add_stages(&mut self, run: RunHash, document: &Run) {
        for stage in &document.stages {
            if let Some(action) = stage.action {
                let stage = stage.name.clone();
                let uses = self.index.stages.entry(action).or_default();
                uses.push(StageUse { run, stage });
            }
        }
    }

    fn action(&mut self, key: ActionKey, stamp: Option<Stamp>) -> Result<(), StoreError> {
        let remembered = self.remembered.actions.remove(&key);
        let (document, known) = match remembered {
            Some(known) => (known.document, Some((known.folder, known.results))),
            None => (None, None),
        };
        let results = match (known, stamp) {
            (Some((folder, results)), Some(stamp)) if folder.as_ref() == Some(&stamp) => {
                self.folders.insert(key, stamp);
                results.into_iter().map(Record::from).collect()
            }
            (_, stamp) => match self.results(key, stamp)? {
                // A process that died before its first record leaves an empty folder.
                results if results.is_empty() && !self.is_named(key) && !self.is_noted(key) => {
                    return Ok(());
                }
                results => results,
            },
        };
        let read = |store: &Store| store.action(key).map(summary);
        let document = self.document(document, Role::Action(key), read);
        let entry = ActionEntry { document, results };
        self.index.actions.insert(key, entry);
        Ok(())
    }

    /// The results of an action from its records, the first one first.
    fn results(&mut self, key: ActionKey, stamp: Option<Stamp>) -> Result<Vec<Record>, StoreError> {
        let mut results = Vec::new();
        let mut whole = true;
        for record in self.store.records(key)? {
            match record {
                Ok(record) => results.push(record),
                Err(error) => {
                    whole = false;
                    self.note(Role::Action(key), error);
                }
            }
        }
        results.sort_unstable_by_key(|(name, result)| (result.started_ms, *name));
        if let Some(stamp) = stamp.filter(|_| whole) {
            self.folders.insert(key, stamp);
            self.learnt = true;
        }
        Ok(results)
    }

    fn artifact(&mut self, hash: ArtifactHash) {
        let remembered: Option<Artifact> = self.remembered.artifacts.remove(&hash);
        let read = |store: &Store| store.artifact(hash);
        if let Some(artifact) = self.document(remembered, Role::Artifact(hash), read) {
            self.index.artifacts.insert(hash, artifact);
        }
    }

    /// The document, from memory or else from the store. One that cannot be read is noted.
    fn document<T>(
        &mut self,
        remembered: Option<T>,
        role: Role,
        read: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Option<T> {
        if remembered.is_some() {
            return remembered;
        }
        match read(self.store) {
            Ok(document) => {
                self.learnt = true;
                Some(document)
            }
            Err(error) => {
                self.note(role, error);
                None
            }
        }
    }

    fn is_noted(&self, key: ActionKey) -> bool {
        let last = self.index.unreadable.last();
        last.is_some_and(|last| last.role == Role::Action(key))
    }

    fn note(&mut self, role: Role, error: StoreError) {
        self.index.unreadable.push(Unreadable { role, error });
    }
}

fn summary(action: Action) -> ActionSummary {
    ActionSummary {
        kind: action.kind,
        inputs: action.inputs,
        plugin: action.plugin,
    }
}
