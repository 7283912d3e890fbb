//! Nodes of the graph, and the references between them.

use std::fmt;

use crate::action::PluginPin;
use crate::hash::{ActionKey, ArtifactHash, ObjectHash, RunHash};
use crate::run::RunStage;

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
