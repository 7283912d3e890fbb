//! Marks everything that is reachable; the rest is garbage. It starts at everything that
//! is kept for its own sake (runs, pins, uses of processes at work, working folders, young results)
//! and follows the names in documents; a document that cannot be read names nothing.

use std::collections::{HashMap, HashSet};

use assay_core::{Action, ActionKey, ArtifactHash, ObjectHash, Run, RunHash, StageKind};

use super::records::Records;
use super::retention::{MarkedRun, Retention, Runs};
use super::sweep::Sweep;
use super::{Amount, Garbage};
use crate::error::{StoreError, readable};
use crate::pin::Pinned;
use crate::store::Store;
use crate::uses::Use;

/// The objects, actions and artifacts reached so far.
pub(super) struct Marks<'a> {
    store: &'a Store,
    records: &'a Records,
    pub(super) objects: HashSet<ObjectHash>,
    pub(super) actions: HashSet<ActionKey>,
    artifacts: HashSet<ArtifactHash>,
    /// Artifacts of which an action that gave them is to be kept too: what is kept has a history.
    wanted: Vec<ArtifactHash>,
    /// Artifacts that an action gave that is kept.
    produced: HashSet<ArtifactHash>,
}

pub(super) fn garbage(store: &Store, retention: &Retention) -> Result<Garbage, StoreError> {
    let records = Records::read(store)?;
    let pins = store.pins()?;
    let uses = store.uses()?;
    let runs = Runs::read(store, retention, &pins)?;
    let mut sweep = Sweep::new(store, retention);

    let mut marks = Marks::new(store, &records);
    for marked in &runs.kept {
        marks.run(marked.hash, marked.run.as_ref())?;
    }
    for pinned in pins.into_values() {
        marks.pinned(pinned)?;
    }
    for using in uses.living {
        match using {
            Use::Action(key) => marks.action(key)?,
            Use::Object(object) => marks.object(object),
        }
    }
    for key in sweep.scratch(&records)? {
        marks.action(key)?;
    }
    marks.finish()?;
    marks.describe()?;
    let unreadable_runs = runs.unreadable();
    let young_results = if unreadable_runs.is_empty() {
        let dropped: HashSet<_> = runs.dropped.iter().flat_map(MarkedRun::actions).collect();
        marks.young(|key, left_ms| !dropped.contains(&key) && retention.is_young(left_ms))?
    } else {
        marks.young(|_, _| true)?
    };
    let kinds = marks.describe()?;

    sweep.runs(&runs);
    sweep.results(&records, &marks, &kinds);
    sweep.objects(&marks, &runs, &records)?;
    sweep.rest(uses.dead)?;
    let (items, kept) = sweep.finish();
    Ok(Garbage {
        items,
        kept,
        unreadable_runs,
        young_results,
    })
}

impl<'a> Marks<'a> {
    fn new(store: &'a Store, records: &'a Records) -> Self {
        Self {
            store,
            records,
            objects: HashSet::new(),
            actions: HashSet::new(),
            artifacts: HashSet::new(),
            wanted: Vec::new(),
            produced: HashSet::new(),
        }
    }

    fn object(&mut self, object: ObjectHash) {
        self.objects.insert(object);
    }

    /// A run, and what its manifest names if that can be read.
    fn run(&mut self, hash: RunHash, run: Option<&Run>) -> Result<(), StoreError> {
        self.object(hash.into());
        let Some(run) = run else {
            return Ok(());
        };
        self.object(run.file);
        self.objects.extend(run.networks);
        for stage in &run.stages {
            stage.action.map_or(Ok(()), |key| self.action(key))?;
            stage.artifact.map_or(Ok(()), |hash| self.artifact(hash))?;
        }
        Ok(())
    }

    fn pinned(&mut self, pinned: Pinned) -> Result<(), StoreError> {
        match pinned {
            Pinned::Run(hash) => {
                let run = readable(self.store.run(hash))?;
                self.run(hash, run.as_ref())
            }
            Pinned::Action(key) => self.action(key),
            Pinned::Artifact(hash) => {
                self.wanted.push(hash);
                self.artifact(hash)
            }
            Pinned::Object(object) => {
                self.object(object);
                Ok(())
            }
        }
    }

    /// An action with its document, what that names, and all its results.
    fn action(&mut self, key: ActionKey) -> Result<(), StoreError> {
        if !self.actions.insert(key) {
            return Ok(());
        }
        self.object(key.into());
        let records = self.records;
        let records = records.by_action.get(&key);
        for result in records.into_iter().flat_map(|records| &records.results) {
            self.objects.extend(result.log);
            self.produced.insert(result.artifact);
            self.artifact(result.artifact)?;
        }
        if let Some(action) = readable(self.store.action(key))? {
            self.objects.extend(library(&action));
            for input in action.inputs.into_values() {
                self.wanted.push(input);
                self.artifact(input)?;
            }
        }
        Ok(())
    }

    fn artifact(&mut self, hash: ArtifactHash) -> Result<(), StoreError> {
        if !self.artifacts.insert(hash) {
            return Ok(());
        }
        self.object(hash.into());
        if let Some(artifact) = readable(self.store.artifact(hash))? {
            let files = artifact.files.into_values();
            self.objects.extend(files.map(|file| file.object));
        }
        Ok(())
    }

    /// Marks an action that gave each artifact that is wanted, unless one is marked already.
    fn finish(&mut self) -> Result<(), StoreError> {
        while let Some(artifact) = self.wanted.pop() {
            if !self.produced.contains(&artifact)
                && let Some(&producer) = self.records.producers.get(&artifact)
            {
                self.action(producer)?;
            }
        }
        Ok(())
    }

    /// Marks the results for which `stays` holds, of their action and the time of the last one.
    fn young(&mut self, stays: impl Fn(ActionKey, u64) -> bool) -> Result<Amount, StoreError> {
        let mut amount = Amount::default();
        let records = self.records;
        for (&key, records) in &records.by_action {
            if !self.actions.contains(&key) && stays(key, records.ended_ms) {
                records
                    .files
                    .iter()
                    .for_each(|(_, bytes)| amount.add(*bytes));
                self.action(key)?;
            }
        }
        self.finish()?;
        Ok(amount)
    }

    /// Marks what plugins said of themselves whose libraries stay. Gives the kinds of the actions
    /// that do not.
    fn describe(&mut self) -> Result<HashMap<ActionKey, StageKind>, StoreError> {
        let mut kinds = HashMap::new();
        for &key in self.records.by_action.keys() {
            if self.actions.contains(&key) {
                continue;
            }
            let Some(action) = readable(self.store.action(key))? else {
                continue;
            };
            let stays = library(&action).is_some_and(|library| self.objects.contains(&library));
            if action.kind == StageKind::Describe && stays {
                self.action(key)?;
            } else {
                kinds.insert(key, action.kind);
            }
        }
        self.finish()?;
        Ok(kinds)
    }
}

fn library(action: &Action) -> Option<ObjectHash> {
    action.plugin.as_ref().map(|pin| pin.hash.into())
}
