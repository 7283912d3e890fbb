//! Roles of objects, and the table of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::{Graph, Node, Reference};
use crate::hash::{ActionKey, ArtifactHash, ObjectHash, RunHash};

/// Role of an object in the document, record or pin that names it. The same bytes may have several
/// roles.
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
    /// Output of the worker of an execution.
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
    /// A file of published figures of a run.
    FiguresFile(RunHash),
    /// Object kept by the pin of that name.
    Pin(String),
}

/// The roles of every object that something names, each once and in order.
pub(super) fn table(graph: &Graph) -> BTreeMap<ObjectHash, Vec<Role>> {
    let mut roles: Vec<(ObjectHash, Vec<Role>)> = Vec::new();
    for (object, role) in sorted(pairs(graph, graph.documents()).collect()) {
        match roles.last_mut() {
            Some((last, roles)) if *last == object => roles.push(role),
            _ => roles.push((object, vec![role])),
        }
    }
    roles.into_iter().collect()
}

/// The roles of an object, as the table has them; all documents that name it are among these.
pub(super) fn of(graph: &Graph, nodes: Vec<Node>, object: ObjectHash) -> Vec<Role> {
    let own = pairs(graph, nodes).filter(|(named, _)| *named == object);
    let own = sorted(own.collect()).into_iter();
    own.map(|(_, role)| role).collect()
}

/// The objects of the table in a range; all documents that name one are among these.
pub(super) fn objects(
    graph: &Graph,
    nodes: Vec<Node>,
    range: &RangeInclusive<ObjectHash>,
) -> BTreeSet<ObjectHash> {
    let named = pairs(graph, nodes).map(|(named, _)| named);
    named.filter(|named| range.contains(named)).collect()
}

fn sorted(mut pairs: Vec<(ObjectHash, Role)>) -> Vec<(ObjectHash, Role)> {
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// The roles of these documents and of what they refer to, and those that pins give.
fn pairs(
    graph: &Graph,
    nodes: impl IntoIterator<Item = Node>,
) -> impl Iterator<Item = (ObjectHash, Role)> {
    let documents = nodes.into_iter().flat_map(|node| {
        let own = match node {
            Node::Run(run) => Some(Role::Run(run)),
            Node::Action(action) => Some(Role::Action(action)),
            Node::Artifact(artifact) => Some(Role::Artifact(artifact)),
            Node::Object(_) => None,
        };
        let own = own.map(|role| (node.object(), role));
        let references = graph.references(node).into_iter().filter_map(role);
        own.into_iter().chain(references)
    });
    let pins = graph.pins.iter();
    let pins = pins.map(|(label, node)| (node.object(), Role::Pin(label.clone())));
    documents.chain(pins)
}

/// The file that a reference leads to, and its role. Documents have a role of their own, whoever
/// refers to them.
fn role(reference: Reference<'_>) -> Option<(ObjectHash, Role)> {
    match reference {
        Reference::PipelineFile(run, file) => Some((file, Role::PipelineFile(run))),
        Reference::NetworksFile(run, file) => Some((file, Role::NetworksFile(run))),
        Reference::FiguresFile(run, file) => Some((file, Role::FiguresFile(run))),
        Reference::Library(action, pin) => {
            let plugin = pin.name.clone();
            Some((pin.hash.into(), Role::Library { action, plugin }))
        }
        Reference::Log {
            action,
            record,
            log,
        } => Some((log, Role::Log { action, record })),
        Reference::File {
            artifact,
            name,
            object,
        } => {
            let name = name.to_owned();
            Some((object, Role::File { artifact, name }))
        }
        Reference::Stage(_) | Reference::Input(_) | Reference::Result(_) => None,
    }
}
