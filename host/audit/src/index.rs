//! What the documents of a store say of each other, read once: which runs there are, what each
//! action reads and gave, and so what every object is to whom. It reads documents and their
//! names, never the files of artifacts; damage is noted and left out.

use std::collections::{BTreeMap, BTreeSet};

use assay_core::{
    Action, ActionKey, Artifact, ArtifactHash, ObjectHash, PluginPin, Run, RunHash, StageKind,
};
use assay_store::{Record, Store, StoreError};

/// The documents of a store, and who names whom.
#[derive(Debug, Default)]
pub struct Index {
    runs: BTreeMap<RunHash, RunEntry>,
    actions: BTreeMap<ActionKey, ActionEntry>,
    artifacts: BTreeMap<ArtifactHash, Artifact>,
    roles: BTreeMap<ObjectHash, BTreeSet<Role>>,
    stages: BTreeMap<ActionKey, Vec<StageUse>>,
    unreadable: Vec<Unreadable>,
}

/// A run that the store names.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEntry {
    /// When it began, in milliseconds since 1970 (UTC), as its marker says.
    pub started_ms: u64,
    /// Its manifest.
    pub run: Run,
}

/// An action that a run or a result names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActionEntry {
    /// What it does, reads and uses; nothing if its document cannot be read.
    pub document: Option<ActionSummary>,
    /// Its results, the first one first.
    pub results: Vec<Record>,
}

/// What the index keeps of an action's document. [`Store::action`] has the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionSummary {
    /// What it does.
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

/// What an object is to what names it. The same bytes may have several roles.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The manifest of a run.
    Run(RunHash),
    /// The document of an action.
    Action(ActionKey),
    /// The manifest of an artifact.
    Artifact(ArtifactHash),
    /// A file of an artifact.
    File {
        /// The artifact.
        artifact: ArtifactHash,
        /// Its name there.
        name: String,
    },
    /// The library of a plugin.
    Library {
        /// An action that uses it.
        action: ActionKey,
        /// The name it was asked for by.
        plugin: String,
    },
    /// What the worker of an execution printed.
    Log {
        /// The action.
        action: ActionKey,
        /// The record of the execution.
        record: ObjectHash,
    },
    /// The pipeline file of a run.
    PipelineFile(RunHash),
    /// The file of networks of a run.
    NetworksFile(RunHash),
}

/// A document that cannot be read, or is not what it should be.
#[derive(Debug)]
pub struct Unreadable {
    /// What names it, or should hold it.
    pub role: Role,
    /// What is wrong with it.
    pub error: StoreError,
}

impl Index {
    /// Reads the documents of a store.
    ///
    /// # Errors
    /// The store's folders cannot be read. A damaged document is no error: see
    /// [`Index::unreadable`].
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        // Beside a garbage collection, what is listed could be gone when it is read.
        let _hold = store.hold()?;
        let mut index = Self::default();
        for (started_ms, hash) in store.runs()? {
            index.add_run(store, hash, started_ms);
        }
        for key in store.action_keys()? {
            index.actions.entry(key).or_default();
        }
        let keys: Vec<_> = index.actions.keys().copied().collect();
        for key in keys {
            index.add_action(store, key)?;
        }
        let known: BTreeSet<_> = index.artifacts_named().collect();
        for hash in known {
            index.add_artifact(store, hash);
        }
        Ok(index)
    }

    /// The runs, by hash.
    pub fn runs(&self) -> &BTreeMap<RunHash, RunEntry> {
        &self.runs
    }

    /// The actions that some run or result names.
    pub fn actions(&self) -> &BTreeMap<ActionKey, ActionEntry> {
        &self.actions
    }

    /// The manifests of the artifacts that some result, run or action names.
    pub fn artifacts(&self) -> &BTreeMap<ArtifactHash, Artifact> {
        &self.artifacts
    }

    /// The objects that something names, each with what it is.
    pub fn objects(&self) -> &BTreeMap<ObjectHash, BTreeSet<Role>> {
        &self.roles
    }

    /// What the object is to what names it.
    pub fn roles(&self, object: ObjectHash) -> impl Iterator<Item = &Role> {
        self.roles.get(&object).into_iter().flatten()
    }

    /// The stages of runs that have this action.
    pub fn stages(&self, action: ActionKey) -> &[StageUse] {
        self.stages.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The actions whose results gave the artifact.
    pub fn producers(&self, artifact: ArtifactHash) -> impl Iterator<Item = ActionKey> {
        let gave = move |entry: &ActionEntry| {
            let mut results = entry.results.iter();
            results.any(|(_, result)| result.artifact == artifact)
        };
        self.actions
            .iter()
            .filter(move |(_, entry)| gave(entry))
            .map(|(key, _)| *key)
    }

    /// The actions that read the artifact, each with the role it has there.
    pub fn readers(&self, artifact: ArtifactHash) -> impl Iterator<Item = (ActionKey, &str)> {
        self.actions.iter().flat_map(move |(key, entry)| {
            let inputs = entry.document.iter().flat_map(|document| &document.inputs);
            inputs
                .filter(move |(_, input)| **input == artifact)
                .map(|(role, _)| (*key, role.as_str()))
        })
    }

    /// The documents that could not be read.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    fn add_run(&mut self, store: &Store, hash: RunHash, started_ms: u64) {
        self.add_role(hash.into(), Role::Run(hash));
        let run = match store.run(hash) {
            Ok(run) => run,
            Err(error) => return self.note(Role::Run(hash), error),
        };
        self.add_role(run.file, Role::PipelineFile(hash));
        if let Some(networks) = run.networks {
            self.add_role(networks, Role::NetworksFile(hash));
        }
        for stage in &run.stages {
            if let Some(action) = stage.action {
                self.actions.entry(action).or_default();
                let stage = stage.name.clone();
                let uses = self.stages.entry(action).or_default();
                uses.push(StageUse { run: hash, stage });
            }
        }
        self.runs.insert(hash, RunEntry { started_ms, run });
    }

    fn add_action(&mut self, store: &Store, key: ActionKey) -> Result<(), StoreError> {
        self.add_role(key.into(), Role::Action(key));
        let document = match store.action(key) {
            Ok(action) => Some(self.summarise(key, action)),
            Err(error) => {
                self.note(Role::Action(key), error);
                None
            }
        };
        let mut results = Vec::new();
        for record in store.records(key)? {
            match record {
                Ok(record) => results.push(record),
                Err(error) => self.note(Role::Action(key), error),
            }
        }
        results.sort_unstable_by_key(|(name, result)| (result.started_ms, *name));
        for (record, result) in &results {
            if let Some(log) = result.log {
                let (action, record) = (key, *record);
                self.add_role(log, Role::Log { action, record });
            }
        }
        self.actions.insert(key, ActionEntry { document, results });
        Ok(())
    }

    fn summarise(&mut self, key: ActionKey, action: Action) -> ActionSummary {
        if let Some(pin) = &action.plugin {
            let plugin = pin.name.clone();
            self.add_role(
                pin.hash.into(),
                Role::Library {
                    action: key,
                    plugin,
                },
            );
        }
        ActionSummary {
            kind: action.kind,
            inputs: action.inputs,
            plugin: action.plugin,
        }
    }

    fn add_artifact(&mut self, store: &Store, hash: ArtifactHash) {
        self.add_role(hash.into(), Role::Artifact(hash));
        let artifact = match store.artifact(hash) {
            Ok(artifact) => artifact,
            Err(error) => return self.note(Role::Artifact(hash), error),
        };
        for (name, file) in &artifact.files {
            let name = name.clone();
            self.add_role(
                file.object,
                Role::File {
                    artifact: hash,
                    name,
                },
            );
        }
        self.artifacts.insert(hash, artifact);
    }

    /// Every artifact that a result, an action or a run names.
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
        actions.chain(stages.filter_map(|stage| stage.artifact))
    }

    fn add_role(&mut self, object: ObjectHash, role: Role) {
        self.roles.entry(object).or_default().insert(role);
    }

    fn note(&mut self, role: Role, error: StoreError) {
        self.unreadable.push(Unreadable { role, error });
    }
}
