//! The graph of the documents of a store: runs, actions with their results, artifacts and pins,
//! and what each of them refers to. Collecting garbage, auditing, tracing lineage and bundling all
//! ask this one graph; where documents come from, and what becomes of a damaged one, is decided by
//! whoever loads it.

mod closure;
mod documents;
mod entry;
mod node;
mod role;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::artifact::Artifact;
use crate::hash::{ActionKey, ArtifactHash, ObjectHash, RunHash};
use crate::result::Record;
use crate::run::{Run, RunStage};

pub use self::closure::{Closure, ProducerRule};
pub use self::documents::{Documents, Unpack};
pub use self::entry::{ActionEntry, ActionSummary, RunEntry, RunHead, StageUse};
pub use self::node::{Node, Reference};
pub use self::role::Role;

/// The questions about one thing that are answered by a search through packed documents. After these,
/// tables are made that answer any number: to make one takes as long as some dozens of searches.
const SEARCHES: usize = 16;

/// Finds the packed documents of which the name or a hash in them begins with these bytes, those of one
/// kind in the order of their names. Others may be among them.
pub struct Search(pub Box<Find>);

type Find = dyn Fn(&[u8]) -> Vec<Node> + Send + Sync;

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").finish_non_exhaustive()
    }
}

/// All documents of a graph in packed form. None is missing or damaged.
#[derive(Debug)]
pub struct Packed {
    /// The heads of the runs.
    pub heads: BTreeMap<RunHash, RunHead>,
    /// The runs.
    pub runs: Documents<RunHash, RunEntry>,
    /// The actions, the results of each in order.
    pub actions: Documents<ActionKey, ActionEntry>,
    /// The artifacts.
    pub artifacts: Documents<ArtifactHash, Artifact>,
    /// The pins, by name.
    pub pins: BTreeMap<String, Node>,
    /// Finds some of the documents.
    pub search: Search,
}

/// Documents, and the references between them.
#[derive(Debug, Default)]
pub struct Graph {
    heads: BTreeMap<RunHash, RunHead>,
    runs: Documents<RunHash, RunEntry>,
    actions: Documents<ActionKey, ActionEntry>,
    artifacts: Documents<ArtifactHash, Artifact>,
    pins: BTreeMap<String, Node>,
    /// Of packed documents.
    search: Option<Search>,
    /// The number of searches so far.
    searches: AtomicUsize,
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

impl From<Packed> for Graph {
    fn from(packed: Packed) -> Self {
        let Packed {
            heads,
            runs,
            actions,
            artifacts,
            pins,
            search,
        } = packed;
        Self {
            heads,
            runs,
            actions,
            artifacts,
            pins,
            search: Some(search),
            ..Self::default()
        }
    }
}

/// Loading.
impl Graph {
    /// Adds a run that began at that time.
    pub fn add_run(&mut self, hash: RunHash, started_ms: u64, run: Run) {
        self.forget_derived();
        let head = RunHead {
            started_ms,
            pipeline: run.pipeline.clone(),
            duration_ms: run.duration_ms,
            outcomes: run.outcomes(),
            size: None,
        };
        self.heads.insert(hash, head);
        self.runs.insert(hash, RunEntry { started_ms, run });
    }

    /// Adds an action with its results, in any order.
    pub fn add_action(&mut self, key: ActionKey, entry: ActionEntry) {
        self.forget_derived();
        let entry = ActionEntry::new(entry.document, entry.results);
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
        self.actions.retain(|key| keys.contains(key));
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

    /// To be called before a document is added or removed: a search does not know of it.
    fn forget_derived(&mut self) {
        self.search = None;
        self.stages = OnceLock::new();
        self.roles = OnceLock::new();
        self.links = OnceLock::new();
    }
}

/// Asking.
impl Graph {
    /// The runs, by hash.
    pub fn runs(&self) -> &Documents<RunHash, RunEntry> {
        &self.runs
    }

    /// The heads of the runs, by hash.
    pub fn run_heads(&self) -> &BTreeMap<RunHash, RunHead> {
        &self.heads
    }

    /// The actions that some run, result or pin names.
    pub fn actions(&self) -> &Documents<ActionKey, ActionEntry> {
        &self.actions
    }

    /// The manifests of the artifacts that some result, run, action or pin names.
    pub fn artifacts(&self) -> &Documents<ArtifactHash, Artifact> {
        &self.artifacts
    }

    /// The bytes of the files that the stages of a run gave, each file once. An artifact that could not
    /// be read counts for nothing.
    pub fn run_size(&self, run: RunHash) -> u64 {
        if let Some(size) = self.heads.get(&run).and_then(|head| head.size) {
            return size;
        }
        let stages = self.runs.get(&run).map(|entry| &entry.run.stages);
        let stages = stages.into_iter().flatten();
        self.size(stages.filter_map(|stage| stage.artifact))
    }

    /// The bytes of the files of artifacts, as [`Graph::run_size`] has them.
    pub fn size(&self, artifacts: impl Iterator<Item = ArtifactHash>) -> u64 {
        let mut artifacts: Vec<_> = artifacts.collect();
        artifacts.sort_unstable();
        artifacts.dedup();
        let manifests = artifacts.iter().filter_map(|it| self.artifacts.get(it));
        let files = manifests.flat_map(|manifest| manifest.files.values());
        let mut files: Vec<_> = files.map(|file| (file.object, file.size)).collect();
        // Stable, so that of several sizes of one file the first one counts.
        files.sort_by_key(|(object, _)| *object);
        files.dedup_by_key(|(object, _)| *object);
        let sizes = files.into_iter().map(|(_, size)| size);
        sizes.fold(0, u64::saturating_add)
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

    /// Roles of the object, in order.
    pub fn roles(&self, object: ObjectHash) -> Cow<'_, [Role]> {
        if let Some(nodes) = self.search(object.as_bytes(), &self.roles) {
            return Cow::Owned(role::of(self, nodes, object));
        }
        let known = self.objects().get(&object);
        Cow::Borrowed(known.map_or(&[], Vec::as_slice))
    }

    /// The objects in a range that something names.
    pub fn objects_in(&self, range: RangeInclusive<ObjectHash>) -> BTreeSet<ObjectHash> {
        match self.search(beginning(&range), &self.roles) {
            Some(nodes) => role::objects(self, nodes, &range),
            None => self.objects().range(range).map(|(it, _)| *it).collect(),
        }
    }

    /// The records in a range, each with its action.
    pub fn records_in(&self, range: RangeInclusive<ObjectHash>) -> Vec<(ActionKey, ObjectHash)> {
        // There is no table of records.
        let found = self.search(beginning(&range), &OnceLock::<()>::new());
        let actions: Vec<_> = match found {
            Some(nodes) => nodes.into_iter().filter_map(action).collect(),
            None => self.actions.keys().copied().collect(),
        };
        let records = actions.into_iter().flat_map(|action| {
            let records = self.results(action).iter();
            records.map(move |(record, _)| (action, *record))
        });
        records
            .filter(|(_, record)| range.contains(record))
            .collect()
    }

    /// The stages of runs that have this action, the first run first.
    pub fn stages(&self, action: ActionKey) -> Cow<'_, [StageUse]> {
        if let Some(nodes) = self.search(action.as_bytes(), &self.stages) {
            let runs = nodes.into_iter().filter_map(|node| match node {
                Node::Run(run) => Some(run),
                Node::Action(_) | Node::Artifact(_) | Node::Object(_) => None,
            });
            let uses = self.uses(runs).into_iter();
            let own = uses.filter(|(of, ..)| *of == action);
            let own = own.map(|(_, run, stage)| StageUse::of(run, stage));
            return Cow::Owned(own.collect());
        }
        let known = self.stages_by_action().get(&action);
        Cow::Borrowed(known.map_or(&[], Vec::as_slice))
    }

    /// The stages of these runs that have an action, the first run first.
    fn uses(&self, runs: impl Iterator<Item = RunHash>) -> Vec<(ActionKey, RunHash, &RunStage)> {
        let mut runs: Vec<_> = runs
            .filter_map(|run| Some((run, self.runs.get(&run)?)))
            .collect();
        runs.sort_by_key(|(run, entry)| (entry.started_ms, *run));
        let uses = runs.into_iter().flat_map(|(run, entry)| {
            let stages = entry.run.stages.iter();
            stages.filter_map(move |stage| Some((stage.action?, run, stage)))
        });
        uses.collect()
    }

    fn stages_by_action(&self) -> &BTreeMap<ActionKey, Vec<StageUse>> {
        self.stages.get_or_init(|| {
            let mut stages = BTreeMap::<_, Vec<_>>::new();
            for (action, run, stage) in self.uses(self.runs.keys().copied()) {
                let uses = stages.entry(action).or_default();
                uses.push(StageUse::of(run, stage));
            }
            stages
        })
    }

    /// The documents that name a hash with this beginning, and maybe others, where a search finds them
    /// sooner than the table of them all.
    fn search<T>(&self, beginning: &[u8], table: &OnceLock<T>) -> Option<Vec<Node>> {
        let is_sooner = !beginning.is_empty() && table.get().is_none();
        let search = self.search.as_ref().filter(|_| is_sooner)?;
        let before = self.searches.fetch_add(1, Ordering::Relaxed);
        (before < SEARCHES).then(|| (search.0)(beginning))
    }

    /// The actions whose results gave the artifact, in order.
    pub fn producers(&self, artifact: ArtifactHash) -> impl Iterator<Item = ActionKey> {
        let producers = if let Some(nodes) = self.search(artifact.as_bytes(), &self.links) {
            let gave = |action: &ActionKey| {
                let mut results = self.results(*action).iter();
                results.any(|(_, result)| result.artifact == artifact)
            };
            nodes.into_iter().filter_map(action).filter(gave).collect()
        } else {
            let known = self.links().producers.get(&artifact);
            known.cloned().unwrap_or_default()
        };
        producers.into_iter()
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
        let stages = self.stages(action);
        let claims = stages.iter().filter_map(|it| it.artifact);
        results
            .map(|(_, result)| result.artifact)
            .chain(claims)
            .collect()
    }

    /// The actions that read the artifact, each with the role it has there.
    pub fn readers(&self, artifact: ArtifactHash) -> impl Iterator<Item = (ActionKey, &str)> {
        let readers = if let Some(nodes) = self.search(artifact.as_bytes(), &self.links) {
            let actions = nodes.into_iter().filter_map(action);
            let inputs = actions.flat_map(|action| {
                let documents = self.document(action).into_iter();
                let inputs = documents.flat_map(|document| &document.inputs);
                inputs.map(move |(role, input)| (action, role.as_str(), *input))
            });
            let read = inputs.filter(|(_, _, input)| *input == artifact);
            read.map(|(action, role, _)| (action, role)).collect()
        } else {
            let readers = self.links().readers.get(&artifact);
            let readers = readers.into_iter().flatten();
            let readers = readers.map(|(action, role)| (*action, role.as_str()));
            readers.collect::<Vec<_>>()
        };
        readers.into_iter()
    }

    fn links(&self) -> &Links {
        self.links.get_or_init(|| {
            let mut links = Links::default();
            for (&action, entry) in self.actions.iter() {
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

/// The action that a node is.
fn action(node: Node) -> Option<ActionKey> {
    match node {
        Node::Action(action) => Some(action),
        Node::Run(_) | Node::Artifact(_) | Node::Object(_) => None,
    }
}

/// The bytes that all hashes of a range begin with.
fn beginning(range: &RangeInclusive<ObjectHash>) -> &[u8] {
    let (first, last) = (range.start().as_bytes(), range.end().as_bytes());
    let same = first
        .iter()
        .zip(last)
        .take_while(|(one, other)| one == other);
    first.get(..same.count()).unwrap_or_default()
}
