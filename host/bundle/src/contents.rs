//! Contents of a bundle, which are all that a run rests on in the graph of documents: its manifest,
//! its actions with their records, and the artifacts that these gave and read. The same closure
//! decides what goes into a bundle and what one must hold, so that a bundle lacks nothing and hides
//! nothing.

use std::collections::BTreeMap;

use assay_core::graph::{ActionEntry, Closure, Documents, Graph, Node, ProducerRule, Role};
use assay_core::{
    Action, ActionKey, Artifact, ArtifactFile, ArtifactHash, ObjectHash, Record, Run, RunHash,
};
use assay_store::{Index, Store};

use crate::error::BundleError;
use crate::layout::BundleFile;
use crate::watch::Watch;

/// The media types of images and of weights.
const NOT_RESULTS: [&str; 2] = [
    "application/vnd.apache.arrow.file",
    "application/vnd.safetensors",
];

/// The documents that a run rests on.
#[derive(Debug)]
pub struct Contents {
    pub(crate) run: RunHash,
    pub(crate) manifest: Run,
    pub(crate) actions: BTreeMap<ActionKey, Action>,
    /// The run, these actions with their records, and their artifacts.
    graph: Graph,
}

impl Contents {
    /// Gathers the documents that the run in the store rests on. `index` is the store's.
    ///
    /// # Errors
    /// A document is missing or damaged, or an artifact is not whole.
    pub fn of_run(store: &Store, index: &Index, run: RunHash) -> Result<Self, BundleError> {
        let manifest = store.run(run)?;
        // Only records whose artifacts can be had count, and only of actions that may belong to it.
        let around = Closure::of(index, ProducerRule::All, [Node::Run(run)]);
        let mut graph = Graph::default();
        for key in around.actions {
            let mut results = Vec::new();
            for record in index.results(key) {
                if store.is_intact(record.1.artifact)? {
                    results.push(record.clone());
                }
            }
            let document = index.document(key).cloned();
            graph.add_action(key, ActionEntry { document, results });
        }
        let action = |key| Ok(store.action(key)?);
        let artifact = |hash| {
            if store.is_intact(hash)? {
                Ok(store.artifact(hash)?)
            } else {
                Err(BundleError::NotIntact { artifact: hash })
            }
        };
        Self::gather(graph, run, manifest, action, artifact)
    }

    /// Gathers what the run rests on among the actions of the graph.
    pub(crate) fn gather(
        mut graph: Graph,
        run: RunHash,
        manifest: Run,
        mut action: impl FnMut(ActionKey) -> Result<Action, BundleError>,
        mut artifact: impl FnMut(ArtifactHash) -> Result<Artifact, BundleError>,
    ) -> Result<Self, BundleError> {
        graph.add_run(run, manifest.started_ms, manifest.clone());
        let rests_on = Closure::of(&graph, ProducerRule::Unexplained, [Node::Run(run)]);
        graph.retain_actions(&rests_on.actions);
        let actions = rests_on.actions.into_iter();
        let actions = actions.map(|key| Ok((key, action(key)?)));
        let mut contents = Self {
            run,
            manifest,
            actions: actions.collect::<Result<_, BundleError>>()?,
            graph,
        };
        contents.check_stages()?;
        for hash in rests_on.artifacts {
            contents.graph.add_artifact(hash, artifact(hash)?);
        }
        Ok(contents)
    }

    /// The name of the pipeline.
    pub fn pipeline(&self) -> &str {
        &self.manifest.pipeline
    }

    /// The run.
    pub fn run(&self) -> RunHash {
        self.run
    }

    /// The file that makes a store, a bundle or a remote have the run.
    pub fn marker(&self) -> BundleFile {
        BundleFile::Run {
            started_ms: self.manifest.started_ms,
            run: self.run,
        }
    }

    /// The records of all actions of the run, by action and name.
    pub fn record_names(&self) -> impl Iterator<Item = (ActionKey, ObjectHash)> {
        let actions = self.actions.keys();
        actions.flat_map(|&key| self.records(key).iter().map(move |(name, _)| (key, *name)))
    }

    /// Every object that the run rests on, for whoever moves them one by one.
    ///
    /// # Errors
    /// Two manifests state different sizes of an object.
    pub fn run_objects(&self) -> Result<Vec<RunObject>, BundleError> {
        let objects = self.objects()?;
        let found = objects.iter().map(|(&object, bundled)| {
            let mut found = RunObject {
                object,
                is_document: false,
                size: None,
                may_stay_behind: self.may_stay_behind(bundled)?,
            };
            for BundledRole { role, .. } in &bundled.roles {
                match role {
                    Role::Run(_) | Role::Action(_) | Role::Artifact(_) => found.is_document = true,
                    Role::File { artifact, name } => {
                        let size = self.file(*artifact, name)?.size;
                        if let Some(found) = found.size.replace(size)
                            && found != size
                        {
                            return Err(BundleError::Size {
                                artifact: *artifact,
                                name: name.clone(),
                                size,
                                found,
                            });
                        }
                    }
                    _ => {}
                }
            }
            Ok(found)
        });
        found.collect()
    }

    /// Records the run in a store that has its objects. A result whose artifact is not whole there is left
    /// out, and counts as one that is still to be made.
    ///
    /// # Errors
    /// An object that results rest on is not in the store, the store cannot be written, or the watch
    /// stopped it.
    pub fn commit(&self, store: &Store, watch: Watch<'_>) -> Result<(), BundleError> {
        for (_, result) in self.actions.keys().flat_map(|key| self.records(*key)) {
            if (watch.stopped)() {
                return Err(BundleError::Stopped);
            }
            if store.is_intact(result.artifact)? {
                store.commit_result(result)?;
            }
        }
        store.commit_run(&self.manifest)?;
        Ok(())
    }

    /// The records of an action of the run, the first one first.
    pub(crate) fn records(&self, key: ActionKey) -> &[Record] {
        self.graph.results(key)
    }

    /// The artifacts that the actions of the run gave or read.
    pub(crate) fn artifacts(&self) -> &Documents<ArtifactHash, Artifact> {
        self.graph.artifacts()
    }

    /// Checks that a record confirms the artifact that each stage is said to have given.
    fn check_stages(&self) -> Result<(), BundleError> {
        for stage in &self.manifest.stages {
            let Some(artifact) = stage.artifact else {
                continue;
            };
            let records = stage.action.map_or(&[][..], |key| self.records(key));
            if !records
                .iter()
                .any(|(_, result)| result.artifact == artifact)
            {
                let stage = stage.name.clone();
                return Err(BundleError::NoResult { stage, artifact });
            }
        }
        Ok(())
    }

    /// Every object that the run rests on.
    ///
    /// # Errors
    /// A role is of a document that the run does not rest on.
    pub(crate) fn objects(&self) -> Result<Objects, BundleError> {
        let mut objects = Objects::new();
        for (object, roles) in self.graph.objects() {
            let mut roles = roles.clone();
            roles.sort_by_key(rank);
            let media_type = match roles.first() {
                Some(first) => self.media_type(first)?.to_owned(),
                None => continue,
            };
            let roles = roles.into_iter().map(|role| {
                let description = self.describe(&role)?;
                Ok(BundledRole { role, description })
            });
            let bundled = BundledObject {
                roles: roles.collect::<Result<_, BundleError>>()?,
                media_type,
            };
            objects.insert(*object, bundled);
        }
        Ok(objects)
    }

    /// Description of the role, in words.
    fn describe(&self, role: &Role) -> Result<String, BundleError> {
        Ok(match role {
            Role::Run(_) => "manifest of the run".to_owned(),
            Role::PipelineFile(_) => "pipeline file".to_owned(),
            Role::NetworksFile(_) => "file of networks".to_owned(),
            Role::FiguresFile(_) => "file of published figures".to_owned(),
            Role::Action(action) => format!("{} action", self.action(*action)?.kind),
            Role::Artifact(_) => "manifest of an artifact".to_owned(),
            Role::File { name, .. } => name.clone(),
            Role::Log { action, .. } => format!("log of a {} action", self.action(*action)?.kind),
            Role::Library { plugin, .. } => format!("library of the plugin {plugin}"),
            Role::Pin(label) => format!("pinned as {label}"),
        })
    }

    fn media_type(&self, role: &Role) -> Result<&str, BundleError> {
        Ok(match role {
            Role::Run(_) | Role::Action(_) | Role::Artifact(_) => "application/json",
            Role::PipelineFile(_) | Role::NetworksFile(_) | Role::FiguresFile(_) => {
                "application/toml"
            }
            Role::File { artifact, name } => &self.file(*artifact, name)?.media_type,
            Role::Log { .. } => "text/plain",
            Role::Library { .. } => "application/x-sharedlib",
            Role::Pin(_) => "application/octet-stream",
        })
    }

    /// A file of an artifact of the run.
    ///
    /// # Errors
    /// The run does not rest on this artifact, or it has no such file.
    pub(crate) fn file(
        &self,
        artifact: ArtifactHash,
        name: &str,
    ) -> Result<&ArtifactFile, BundleError> {
        let manifest = self.artifacts().get(&artifact);
        let file = manifest.and_then(|manifest| manifest.files.get(name));
        file.ok_or_else(|| BundleError::Missing {
            what: format!("file `{name}` of the artifact"),
            object: artifact.into(),
        })
    }

    /// Whether a bundle may lack the object: it is a library, or the images of a dataset or the weights
    /// of a network, and nothing else. The numbers of the run can be read without it.
    pub(crate) fn may_stay_behind(&self, object: &BundledObject) -> Result<bool, BundleError> {
        for BundledRole { role, .. } in &object.roles {
            let may = match role {
                Role::Library { .. } => true,
                Role::File { artifact, name } => {
                    let file = self.file(*artifact, name)?;
                    NOT_RESULTS.contains(&file.media_type.as_str())
                }
                _ => false,
            };
            if !may {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn action(&self, key: ActionKey) -> Result<&Action, BundleError> {
        self.actions.get(&key).ok_or_else(|| BundleError::Missing {
            what: "action".to_owned(),
            object: key.into(),
        })
    }
}

/// An object that a run rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunObject {
    /// The object.
    pub object: ObjectHash,
    /// It is the manifest of the run, an action, or the manifest of an artifact.
    pub is_document: bool,
    /// Its bytes, where a manifest says.
    pub size: Option<u64>,
    /// It is a library, or the images of a dataset or the weights of a network, and nothing else.
    pub may_stay_behind: bool,
}

/// The objects of a bundle.
pub(crate) type Objects = BTreeMap<ObjectHash, BundledObject>;

/// An object that the run rests on. The same bytes may be several things at once, such as the best
/// weights and the last.
#[derive(Debug)]
pub(crate) struct BundledObject {
    /// Its roles, the most important first; never none.
    pub(crate) roles: Vec<BundledRole>,
    /// The media type of the first role.
    pub(crate) media_type: String,
}

/// A role of an object.
#[derive(Debug)]
pub(crate) struct BundledRole {
    pub(crate) role: Role,
    /// The role in words.
    pub(crate) description: String,
}

impl BundledObject {
    /// The plugins that it is a library of, where it is nothing else: then the run can be verified
    /// without it.
    ///
    /// # Errors
    /// It has another role: the description of the first of them.
    pub(crate) fn only_plugins(&self) -> Result<Vec<&str>, &str> {
        let plugins = self.roles.iter().map(|it| match &it.role {
            Role::Library { plugin, .. } => Ok(plugin.as_str()),
            _ => Err(it.description.as_str()),
        });
        plugins.collect()
    }
}

/// Place of a role among those of one object. The first one gives the media type in the metadata,
/// so this order is part of their revision.
fn rank(role: &Role) -> (u8, Option<ActionKey>, u8) {
    match role {
        Role::Run(_) => (0, None, 0),
        Role::PipelineFile(_) => (1, None, 0),
        Role::NetworksFile(_) => (2, None, 0),
        Role::FiguresFile(_) => (2, None, 1),
        Role::Action(action) => (3, Some(*action), 0),
        Role::Library { action, .. } => (3, Some(*action), 1),
        Role::Log { action, .. } => (3, Some(*action), 2),
        Role::Artifact(_) => (4, None, 0),
        Role::File { .. } => (4, None, 1),
        Role::Pin(_) => (5, None, 0),
    }
}
