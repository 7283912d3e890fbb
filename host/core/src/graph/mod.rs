//! The graph of the documents of a store: runs, actions with their results, artifacts and pins,
//! and what each of them refers to. Collecting garbage, auditing, tracing lineage and bundling all
//! ask this one graph; where documents come from, and what becomes of a damaged one, is decided by
//! whoever loads it.

mod closure;
mod role;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::action::{Action, PluginPin};
use crate::artifact::Artifact;
use crate::hash::{ActionKey, ArtifactHash, ObjectHash, RunHash};
use crate::kind::StageKind;
use crate::result::Record;
use crate::run::{Run, RunStage};

pub use self::closure::{Closure, ProducerRule};
pub use self::role::Role;

/// A node of the graph. Every node is an object; the first three are documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// The manifest of a run.
    Run(RunHash),
    /// The document of an action.
    Action(ActionKey),
    /// The manifest of an artifact.
    Artifact(ArtifactHash),
    /// Any other object, such as a file of an artifact, a library or a log.
    Object(ObjectHash),
}

impl Node {
    /// Kind of the node, in one word.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Action(_) => "action",
            Self::Artifact(_) => "artifact",
            Self::Object(_) => "object",
        }
    }

    /// The object with the bytes of the node.
    pub fn object(self) -> ObjectHash {
        match self {
            Self::Run(run) => run.into(),
            Self::Action(key) => key.into(),
            Self::Artifact(artifact) => artifact.into(),
            Self::Object(object) => object,
        }
    }

    /// Reads what `Display` writes.
    pub fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ')? {
            ("run", hash) => hash.parse().ok().map(Self::Run),
            ("action", hash) => hash.parse().ok().map(Self::Action),
            ("artifact", hash) => hash.parse().ok().map(Self::Artifact),
            ("object", hash) => hash.parse().ok().map(Self::Object),
            _ => None,
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what(), self.object())
    }
}

/// A reference of a document, or of a record of its execution, to something else.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'a> {
    /// From a run to its pipeline file.
    PipelineFile(RunHash, ObjectHash),
    /// From a run to its file of networks.
    NetworksFile(RunHash, ObjectHash),
    /// From a run to a file of published figures.
    FiguresFile(RunHash, ObjectHash),
    /// From a run to the action and the artifact of a stage.
    Stage(&'a RunStage),
    /// From an action to the library of its plugin.
    Library(ActionKey, &'a PluginPin),
    /// From an action to an artifact that it reads.
    Input(ArtifactHash),
    /// From a record of the action to the output of the worker.
    Log {
        /// The action.
        action: ActionKey,
        /// The record of the execution.
        record: ObjectHash,
        /// The output.
        log: ObjectHash,
    },
    /// From a record to the artifact that the execution gave.
    Result(ArtifactHash),
    /// From an artifact to one of its files.
    File {
        /// The artifact.
        artifact: ArtifactHash,
        /// The file's name there.
        name: &'a str,
        /// The file.
        object: ObjectHash,
    },
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

/// The part of an action's document that the graph needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionSummary {
    /// Kind of the action.
    pub kind: StageKind,
    /// The revision of the code that does it.
    pub revision: u32,
    /// The artifacts it reads, by role.
    pub inputs: BTreeMap<String, ArtifactHash>,
    /// The plugin it uses.
    pub plugin: Option<PluginPin>,
}

impl From<Action> for ActionSummary {
    fn from(action: Action) -> Self {
        Self {
            kind: action.kind,
            revision: action.revision,
            inputs: action.inputs,
            plugin: action.plugin,
        }
    }
}

/// A stage of a run that has an action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StageUse {
    /// The run.
    pub run: RunHash,
    /// The stage's name in it.
    pub stage: String,
    /// Artifact that the stage gave according to the run.
    pub artifact: Option<ArtifactHash>,
}

/// Documents, and the references between them.
#[derive(Debug, Default)]
pub struct Graph {
    runs: BTreeMap<RunHash, RunEntry>,
    actions: BTreeMap<ActionKey, ActionEntry>,
    artifacts: BTreeMap<ArtifactHash, Artifact>,
    pins: BTreeMap<String, Node>,
    /// Documents that something names and that cannot be read.
    damaged: BTreeSet<Node>,
    stages: OnceLock<BTreeMap<ActionKey, Vec<StageUse>>>,
    roles: OnceLock<BTreeMap<ObjectHash, Vec<Role>>>,
    links: OnceLock<Links>,
}

/// References turned around, so that a walk from artifact to artifact looks things up and never
/// searches.
#[derive(Debug, Default)]
struct Links {
    /// The actions with a result that gave the artifact, in order.
    producers: BTreeMap<ArtifactHash, Vec<ActionKey>>,
    /// The actions that gave the artifact according to a run alone.
    claims: BTreeMap<ArtifactHash, BTreeSet<ActionKey>>,
    /// The actions that read the artifact, each with its role there.
    readers: BTreeMap<ArtifactHash, Vec<(ActionKey, String)>>,
}

/// Loading.
impl Graph {
    /// Adds a run that began at that time.
    pub fn add_run(&mut self, hash: RunHash, started_ms: u64, run: Run) {
        self.forget_derived();
        self.runs.insert(hash, RunEntry { started_ms, run });
    }

    /// Adds an action with its results, in any order.
    pub fn add_action(&mut self, key: ActionKey, mut entry: ActionEntry) {
        self.forget_derived();
        let order = |(name, result): &Record| (result.started_ms, *name);
        entry.results.sort_unstable_by_key(order);
        self.actions.insert(key, entry);
    }

    /// Adds an artifact.
    pub fn add_artifact(&mut self, hash: ArtifactHash, artifact: Artifact) {
        self.forget_derived();
        self.artifacts.insert(hash, artifact);
    }

    /// Adds a pin.
    pub fn add_pin(&mut self, label: String, node: Node) {
        self.forget_derived();
        self.pins.insert(label, node);
    }

    /// Adds a document that something names and that cannot be read.
    pub fn add_damaged(&mut self, node: Node) {
        self.forget_derived();
        self.damaged.insert(node);
    }

    /// Removes all actions but these.
    pub fn retain_actions(&mut self, keys: &BTreeSet<ActionKey>) {
        self.forget_derived();
        self.actions.retain(|key, _| keys.contains(key));
    }

    /// The actions that runs and pins name.
    pub fn named_actions(&self) -> BTreeSet<ActionKey> {
        let pinned = self.pins.values().filter_map(|node| match node {
            Node::Action(key) => Some(*key),
            Node::Run(_) | Node::Artifact(_) | Node::Object(_) => None,
        });
        let stages = self.runs.values().flat_map(|entry| &entry.run.stages);
        let named = stages.filter_map(|stage| stage.action);
        named.chain(pinned).collect()
    }

    /// The artifacts that results, actions, runs and pins name.
    pub fn named_artifacts(&self) -> BTreeSet<ArtifactHash> {
        let mut named = BTreeSet::new();
        for entry in self.actions.values() {
            named.extend(entry.results.iter().map(|(_, result)| result.artifact));
            let inputs = entry.document.iter().flat_map(|known| &known.inputs);
            named.extend(inputs.map(|(_, artifact)| *artifact));
        }
        let stages = self.runs.values().flat_map(|entry| &entry.run.stages);
        named.extend(stages.filter_map(|stage| stage.artifact));
        named.extend(self.pins.values().filter_map(|node| match node {
            Node::Artifact(artifact) => Some(*artifact),
            Node::Run(_) | Node::Action(_) | Node::Object(_) => None,
        }));
        named
    }

    fn forget_derived(&mut self) {
        self.stages = OnceLock::new();
        self.roles = OnceLock::new();
        self.links = OnceLock::new();
    }
}

/// Asking.
impl Graph {
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
    pub fn pins(&self) -> &BTreeMap<String, Node> {
        &self.pins
    }

    /// The names that the object is pinned under.
    pub fn labels(&self, object: ObjectHash) -> impl Iterator<Item = &str> {
        let pins = self.pins.iter();
        let pins = pins.filter(move |(_, node)| node.object() == object);
        pins.map(|(label, _)| label.as_str())
    }

    /// Summary of the action's document, if that could be read.
    pub fn document(&self, action: ActionKey) -> Option<&ActionSummary> {
        self.actions.get(&action)?.document.as_ref()
    }

    /// The results of the action, the first one first.
    pub fn results(&self, action: ActionKey) -> &[Record] {
        let entry = self.actions.get(&action);
        entry.map_or(&[], |entry| entry.results.as_slice())
    }

    /// The references of a document. One that could not be read, and any other object, has none,
    /// but for an action, whose results are known without its document.
    pub fn references(&self, node: Node) -> Vec<Reference<'_>> {
        let mut references = Vec::new();
        match node {
            Node::Run(hash) => {
                if let Some(RunEntry { run, .. }) = self.runs.get(&hash) {
                    references.push(Reference::PipelineFile(hash, run.file));
                    let networks = run.networks;
                    references.extend(networks.map(|file| Reference::NetworksFile(hash, file)));
                    let figures = run.figures.values();
                    references.extend(figures.map(|file| Reference::FiguresFile(hash, *file)));
                    references.extend(run.stages.iter().map(Reference::Stage));
                }
            }
            Node::Action(action) => {
                if let Some(document) = self.document(action) {
                    let plugin = document.plugin.as_ref();
                    references.extend(plugin.map(|pin| Reference::Library(action, pin)));
                    references.extend(document.inputs.values().copied().map(Reference::Input));
                }
                for (record, result) in self.results(action) {
                    let record = *record;
                    let log = result.log;
                    references.extend(log.map(|log| Reference::Log {
                        action,
                        record,
                        log,
                    }));
                    references.push(Reference::Result(result.artifact));
                }
            }
            Node::Artifact(artifact) => {
                let files = self
                    .artifacts
                    .get(&artifact)
                    .map(|manifest| &manifest.files);
                let files = files.into_iter().flatten();
                references.extend(files.map(|(name, file)| Reference::File {
                    artifact,
                    name,
                    object: file.object,
                }));
            }
            Node::Object(_) => {}
        }
        references
    }

    /// Every document: those that could be read, and those that could not.
    fn documents(&self) -> impl Iterator<Item = Node> {
        let runs = self.runs.keys().copied().map(Node::Run);
        let actions = self.actions.keys().copied().map(Node::Action);
        let artifacts = self.artifacts.keys().copied().map(Node::Artifact);
        let damaged = self.damaged.iter().copied();
        runs.chain(actions).chain(artifacts).chain(damaged)
    }

    /// The objects that something names, each with its roles.
    pub fn objects(&self) -> &BTreeMap<ObjectHash, Vec<Role>> {
        self.roles.get_or_init(|| role::table(self))
    }

    /// Roles of the object.
    pub fn roles(&self, object: ObjectHash) -> impl Iterator<Item = &Role> {
        self.objects().get(&object).into_iter().flatten()
    }

    /// The stages of runs that have this action, the first run first.
    pub fn stages(&self, action: ActionKey) -> &[StageUse] {
        self.stages_by_action()
            .get(&action)
            .map_or(&[], Vec::as_slice)
    }

    fn stages_by_action(&self) -> &BTreeMap<ActionKey, Vec<StageUse>> {
        self.stages.get_or_init(|| {
            let mut runs: Vec<_> = self.runs.iter().collect();
            runs.sort_by_key(|(run, entry)| (entry.started_ms, **run));
            let mut stages = BTreeMap::<_, Vec<_>>::new();
            for (run, entry) in runs {
                for stage in &entry.run.stages {
                    if let Some(action) = stage.action {
                        stages.entry(action).or_default().push(StageUse {
                            run: *run,
                            stage: stage.name.clone(),
                            artifact: stage.artifact,
                        });
                    }
                }
            }
            stages
        })
    }

    /// The actions whose results gave the artifact.
    pub fn producers(&self, artifact: ArtifactHash) -> impl Iterator<Item = ActionKey> {
        let producers = self.links().producers.get(&artifact);
        producers.into_iter().flatten().copied()
    }

    /// The action that gave the artifact first.
    pub fn first_producer(&self, artifact: ArtifactHash) -> Option<ActionKey> {
        let began = |action: &ActionKey| {
            let results = self.results(*action).iter();
            let gave = results.filter(|(_, result)| result.artifact == artifact);
            gave.map(|(_, result)| result.started_ms).min()
        };
        self.producers(artifact).min_by_key(began)
    }

    /// The actions that gave the artifact according to a result, or to a run alone.
    pub fn claimed_producers(&self, artifact: ArtifactHash) -> impl Iterator<Item = ActionKey> {
        let claims = self.links().claims.get(&artifact);
        self.producers(artifact)
            .chain(claims.into_iter().flatten().copied())
    }

    /// Artifacts that the action gave according to a result, or to a run alone.
    pub fn claimed_results(&self, action: ActionKey) -> BTreeSet<ArtifactHash> {
        let results = self.results(action).iter();
        let claims = self.stages(action).iter().filter_map(|it| it.artifact);
        results
            .map(|(_, result)| result.artifact)
            .chain(claims)
            .collect()
    }

    /// The actions that read the artifact, each with the role it has there.
    pub fn readers(&self, artifact: ArtifactHash) -> impl Iterator<Item = (ActionKey, &str)> {
        let readers = self.links().readers.get(&artifact);
        let readers = readers.into_iter().flatten();
        readers.map(|(action, role)| (*action, role.as_str()))
    }

    fn links(&self) -> &Links {
        self.links.get_or_init(|| {
            let mut links = Links::default();
            for (&action, entry) in &self.actions {
                for (_, result) in &entry.results {
                    let producers = links.producers.entry(result.artifact).or_default();
                    if producers.last() != Some(&action) {
                        producers.push(action);
                    }
                }
                let inputs = entry.document.iter().flat_map(|known| &known.inputs);
                for (role, &artifact) in inputs {
                    let readers = links.readers.entry(artifact).or_default();
                    readers.push((action, role.clone()));
                }
            }
            for (&action, uses) in self.stages_by_action() {
                for artifact in uses.iter().filter_map(|it| it.artifact) {
                    let producers = links.producers.get(&artifact);
                    if producers.is_none_or(|known| known.binary_search(&action).is_err()) {
                        links.claims.entry(artifact).or_default().insert(action);
                    }
                }
            }
            links
        })
    }
}
