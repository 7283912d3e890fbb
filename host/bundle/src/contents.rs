//! Contents of a bundle, which are all that a run rests on: its manifest, its actions with their
//! records, and the artifacts that these gave and read. The same walk decides what goes into a
//! bundle and what one must hold, so that a bundle lacks nothing and hides nothing.

use std::collections::{BTreeMap, BTreeSet};

use assay_audit::Index;
use assay_core::{
    Action, ActionKey, Artifact, ArtifactFile, ArtifactHash, ObjectHash, PluginPin, Run, RunHash,
    StageKind,
};
use assay_store::{Record, Store};

use crate::error::BundleError;

/// Where documents are read from: a store, or a bundle.
pub(crate) trait Source {
    fn run(&self, run: RunHash) -> Result<Run, BundleError>;
    fn action(&self, key: ActionKey) -> Result<Action, BundleError>;
    fn artifact(&self, hash: ArtifactHash) -> Result<Artifact, BundleError>;
    /// The records of the action whose artifacts can be had, the first one first.
    fn records(&self, key: ActionKey) -> Result<Vec<Record>, BundleError>;
    /// The actions whose records gave the artifact, sorted.
    fn producers(&self, artifact: ArtifactHash) -> Vec<ActionKey>;
}

/// The documents that a run rests on.
#[derive(Clone, Debug)]
pub struct Contents {
    pub(crate) run: RunHash,
    pub(crate) manifest: Run,
    pub(crate) actions: BTreeMap<ActionKey, Executed>,
    pub(crate) artifacts: BTreeMap<ArtifactHash, Artifact>,
}

/// An action and its executions.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    pub(crate) action: Action,
    pub(crate) records: Vec<Record>,
}

/// Role of an object in the run.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Run,
    PipelineFile,
    NetworksFile,
    Action(StageKind),
    Artifact,
    File {
        artifact: ArtifactHash,
        name: String,
        file: ArtifactFile,
    },
    Log(StageKind),
    Library(PluginPin),
}

impl Contents {
    /// Gathers the documents that the run in the store rests on. `index` is the store's.
    ///
    /// # Errors
    /// A document is missing or damaged, or an artifact is not whole.
    pub fn of_run(store: &Store, index: &Index, run: RunHash) -> Result<Self, BundleError> {
        Self::gather(&StoreSource { store, index }, run)
    }

    /// The name of the pipeline.
    pub fn pipeline(&self) -> &str {
        &self.manifest.pipeline
    }

    pub(crate) fn gather(source: &impl Source, run: RunHash) -> Result<Self, BundleError> {
        let mut contents = Self {
            run,
            manifest: source.run(run)?,
            actions: BTreeMap::new(),
            artifacts: BTreeMap::new(),
        };
        let stages = contents.manifest.stages.iter();
        let mut keys: BTreeSet<_> = stages.filter_map(|stage| stage.action).collect();
        while !keys.is_empty() {
            for key in keys {
                contents.add_action(source, key)?;
            }
            keys = contents.producers(source);
        }
        contents.check_stages()?;
        contents.add_artifacts(source)?;
        Ok(contents)
    }

    fn add_action(&mut self, source: &impl Source, key: ActionKey) -> Result<(), BundleError> {
        let executed = Executed {
            action: source.action(key)?,
            records: source.records(key)?,
        };
        self.actions.insert(key, executed);
        Ok(())
    }

    /// The actions, not known yet, that gave what known ones read and no known one gave.
    fn producers(&self, source: &impl Source) -> BTreeSet<ActionKey> {
        let given = self.given();
        let read = self
            .actions
            .values()
            .flat_map(|known| known.action.inputs.values());
        let unexplained: BTreeSet<_> = read.filter(|input| !given.contains(input)).collect();
        let producers = unexplained.into_iter();
        let producers = producers.flat_map(|input| source.producers(*input));
        producers
            .filter(|key| !self.actions.contains_key(key))
            .collect()
    }

    /// Artifacts that the records name as results.
    fn given(&self) -> BTreeSet<ArtifactHash> {
        let records = self.actions.values().flat_map(|known| &known.records);
        records.map(|(_, result)| result.artifact).collect()
    }

    /// Whether a record vouches for what each stage is said to have given.
    fn check_stages(&self) -> Result<(), BundleError> {
        for stage in &self.manifest.stages {
            let Some(artifact) = stage.artifact else {
                continue;
            };
            let executed = stage.action.and_then(|key| self.actions.get(&key));
            let mut records = executed.into_iter().flat_map(|known| &known.records);
            if !records.any(|(_, result)| result.artifact == artifact) {
                let stage = stage.name.clone();
                return Err(BundleError::NoResult { stage, artifact });
            }
        }
        Ok(())
    }

    fn add_artifacts(&mut self, source: &impl Source) -> Result<(), BundleError> {
        let inputs = self
            .actions
            .values()
            .flat_map(|known| known.action.inputs.values());
        let mut needed = self.given();
        needed.extend(inputs);
        for hash in needed {
            self.artifacts.insert(hash, source.artifact(hash)?);
        }
        Ok(())
    }

    /// Every object that the run rests on, with all that it is to it.
    pub(crate) fn objects(&self) -> BTreeMap<ObjectHash, Vec<Role>> {
        let mut objects = BTreeMap::<ObjectHash, Vec<Role>>::new();
        let mut add = |object, role| objects.entry(object).or_default().push(role);
        add(self.run.into(), Role::Run);
        add(self.manifest.file, Role::PipelineFile);
        if let Some(networks) = self.manifest.networks {
            add(networks, Role::NetworksFile);
        }
        for (&key, executed) in &self.actions {
            let kind = executed.action.kind;
            add(key.into(), Role::Action(kind));
            if let Some(pin) = &executed.action.plugin {
                add(pin.hash.into(), Role::Library(pin.clone()));
            }
            for log in executed.records.iter().filter_map(|(_, result)| result.log) {
                add(log, Role::Log(kind));
            }
        }
        for (&artifact, manifest) in &self.artifacts {
            add(artifact.into(), Role::Artifact);
            for (name, file) in &manifest.files {
                let (name, file) = (name.clone(), file.clone());
                add(
                    file.object,
                    Role::File {
                        artifact,
                        name,
                        file,
                    },
                );
            }
        }
        objects
    }
}

impl Role {
    /// Whether the run can be verified without it: a library is needed to execute again alone.
    pub(crate) fn is_library(&self) -> bool {
        matches!(self, Self::Library(_))
    }

    /// Description of the role, in words.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Run => "manifest of the run".to_owned(),
            Self::PipelineFile => "pipeline file".to_owned(),
            Self::NetworksFile => "file of networks".to_owned(),
            Self::Action(kind) => format!("{kind} action"),
            Self::Artifact => "manifest of an artifact".to_owned(),
            Self::File { name, .. } => name.clone(),
            Self::Log(kind) => format!("log of a {kind} action"),
            Self::Library(pin) => format!("library of the plugin {}", pin.name),
        }
    }

    pub(crate) fn media_type(&self) -> &str {
        match self {
            Self::Run | Self::Action(_) | Self::Artifact => "application/json",
            Self::PipelineFile | Self::NetworksFile => "application/toml",
            Self::File { file, .. } => &file.media_type,
            Self::Log(_) => "text/plain",
            Self::Library(_) => "application/x-sharedlib",
        }
    }
}

/// A store and what its documents say of each other.
struct StoreSource<'a> {
    store: &'a Store,
    index: &'a Index,
}

impl Source for StoreSource<'_> {
    fn run(&self, run: RunHash) -> Result<Run, BundleError> {
        Ok(self.store.run(run)?)
    }

    fn action(&self, key: ActionKey) -> Result<Action, BundleError> {
        Ok(self.store.action(key)?)
    }

    fn artifact(&self, hash: ArtifactHash) -> Result<Artifact, BundleError> {
        if self.store.is_intact(hash)? {
            Ok(self.store.artifact(hash)?)
        } else {
            Err(BundleError::NotIntact { artifact: hash })
        }
    }

    fn records(&self, key: ActionKey) -> Result<Vec<Record>, BundleError> {
        let entry = self.index.actions().get(&key);
        let mut whole = Vec::new();
        for record in entry.into_iter().flat_map(|entry| &entry.results) {
            if self.store.is_intact(record.1.artifact)? {
                whole.push(record.clone());
            }
        }
        Ok(whole)
    }

    fn producers(&self, artifact: ArtifactHash) -> Vec<ActionKey> {
        let mut producers: Vec<_> = self.index.producers(artifact).collect();
        producers.sort_unstable();
        producers
    }
}
