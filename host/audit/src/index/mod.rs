//! The index of a store's documents: which runs there are, what each action reads and gave, and
//! from these the roles of every object. It reads documents and their names, never the files of
//! artifacts; damage is noted and left out.

mod links;
mod packed;
mod read;
mod remembered;
mod role;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use assay_core::{
    ActionKey, Artifact, ArtifactHash, ObjectHash, PluginPin, Run, RunHash, StageKind,
};
use assay_store::{Pinned, Record, Store, StoreError};
use serde::{Deserialize, Serialize};

pub use self::role::Role;

use self::links::Links;
use self::read::Reading;
use self::remembered::Remembered;
use self::role::Roles;

/// The documents of a store, and who names whom.
#[derive(Debug, Default)]
pub struct Index {
    runs: BTreeMap<RunHash, RunEntry>,
    actions: BTreeMap<ActionKey, ActionEntry>,
    artifacts: BTreeMap<ArtifactHash, Artifact>,
    stages: BTreeMap<ActionKey, Vec<StageUse>>,
    pins: BTreeMap<String, Pinned>,
    unreadable: Vec<Unreadable>,
    roles: OnceLock<Roles>,
    links: OnceLock<Links>,
}

/// A run that a marker or a pin names.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEntry {
    /// When it began, in milliseconds since 1970 (UTC), as its marker says if it has one.
    pub started_ms: u64,
    /// Its manifest.
    pub run: Run,
}

/// An action that a run, a result or a pin names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActionEntry {
    /// Summary of its document; nothing if that cannot be read.
    pub document: Option<ActionSummary>,
    /// Its results, the first one first.
    pub results: Vec<Record>,
}

/// The part of an action's document that the index keeps. [`Store::action`] has the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionSummary {
    /// Kind of the action.
    pub kind: StageKind,
    /// The artifacts it reads, by role.
    pub inputs: BTreeMap<String, ArtifactHash>,
    /// The plugin it uses.
    pub plugin: Option<PluginPin>,
}

/// A stage of a run that has an action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StageUse {
    /// The run.
    pub run: RunHash,
    /// The stage's name in it.
    pub stage: String,
}

/// A document that cannot be read, or is not what it should be.
#[derive(Debug)]
pub struct Unreadable {
    /// Role of the document; for a record, the role of its action.
    pub role: Role,
    /// Error from reading it.
    pub error: StoreError,
}

impl Index {
    /// Reads the documents of a store, every one of them.
    ///
    /// # Errors
    /// The store's folders cannot be read. A damaged document is no error: see
    /// [`Index::unreadable`].
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        // Beside a garbage collection, what is listed could be gone when it is read.
        let _hold = store.hold()?;
        let mut reading = Reading::new(store, Remembered::default());
        reading.all()?;
        Ok(reading.index)
    }

    /// As [`Index::read`], but takes documents that were read before from the store's cache, and
    /// keeps there what it reads now, if it can. A document that has been damaged or removed since
    /// is not noticed: who asks whether the store is sound must read it all.
    ///
    /// # Errors
    /// As [`Index::read`].
    pub fn read_cached(store: &Store) -> Result<Self, StoreError> {
        let _hold = store.hold()?;
        let mut reading = Reading::new(store, Remembered::read(store));
        reading.all()?;
        if reading.learnt {
            Remembered::write(store, &reading.index, &reading.folders);
        }
        Ok(reading.index)
    }

    /// The runs, by hash.
    pub fn runs(&self) -> &BTreeMap<RunHash, RunEntry> {
        &self.runs
    }

    /// The actions that some run, result or pin names.
    pub fn actions(&self) -> &BTreeMap<ActionKey, ActionEntry> {
        &self.actions
    }

    /// The manifests of the artifacts that some result, run, action or pin names.
    pub fn artifacts(&self) -> &BTreeMap<ArtifactHash, Artifact> {
        &self.artifacts
    }

    /// Pinned things, by the pins' names.
    pub fn pins(&self) -> &BTreeMap<String, Pinned> {
        &self.pins
    }

    /// The names that the object is pinned under.
    pub fn labels(&self, object: ObjectHash) -> impl Iterator<Item = &str> {
        let pins = self.pins.iter();
        let pins = pins.filter(move |(_, pinned)| pinned.object() == object);
        pins.map(|(label, _)| label.as_str())
    }

    /// The objects that something names, each with what it is.
    pub fn objects(&self) -> &BTreeMap<ObjectHash, Vec<Role>> {
        self.roles.get_or_init(|| role::roles(self))
    }

    /// Roles of the object.
    pub fn roles(&self, object: ObjectHash) -> impl Iterator<Item = &Role> {
        self.objects().get(&object).into_iter().flatten()
    }

    /// The stages of runs that have this action.
    pub fn stages(&self, action: ActionKey) -> &[StageUse] {
        self.stages.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The actions whose results gave the artifact.
    pub fn producers(&self, artifact: ArtifactHash) -> impl Iterator<Item = ActionKey> {
        let producers = self.links().producers.get(&artifact);
        producers.into_iter().flatten().copied()
    }

    /// The actions that read the artifact, each with the role it has there.
    pub fn readers(&self, artifact: ArtifactHash) -> impl Iterator<Item = (ActionKey, &str)> {
        let readers = self.links().readers.get(&artifact);
        let readers = readers.into_iter().flatten();
        readers.map(|(action, role)| (*action, role.as_str()))
    }

    /// The documents that could not be read.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    fn links(&self) -> &Links {
        self.links.get_or_init(|| Links::of(self))
    }

    /// Every artifact that a result, an action, a run or a pin names.
    fn artifacts_named(&self) -> impl Iterator<Item = ArtifactHash> {
        let actions = self.actions.values().flat_map(|entry| {
            let results = entry.results.iter().map(|(_, result)| result.artifact);
            let inputs = entry
                .document
                .iter()
                .flat_map(|known| known.inputs.values().copied());
            results.chain(inputs)
        });
        let stages = self.runs.values().flat_map(|entry| &entry.run.stages);
        let pinned = self.pins.values().filter_map(|pinned| match pinned {
            Pinned::Artifact(artifact) => Some(*artifact),
            _ => None,
        });
        let in_runs = stages.filter_map(|stage| stage.artifact);
        actions.chain(in_runs).chain(pinned)
    }
}
