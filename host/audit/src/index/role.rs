//! Roles of objects, and the table of all of them, made from an index when it is first asked for.

use std::collections::BTreeMap;

use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash};

use super::Index;

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
    /// Object kept by the pin of that name.
    Pin(String),
}

/// The roles of every object that something names, each once and in order.
pub(super) type Roles = BTreeMap<ObjectHash, Vec<Role>>;

pub(super) fn roles(index: &Index) -> Roles {
    let mut pairs = Vec::new();
    for (run, entry) in &index.runs {
        pairs.push(((*run).into(), Role::Run(*run)));
        pairs.push((entry.run.file, Role::PipelineFile(*run)));
        let networks = entry.run.networks;
        pairs.extend(networks.map(|networks| (networks, Role::NetworksFile(*run))));
    }
    for (&action, entry) in &index.actions {
        pairs.push((action.into(), Role::Action(action)));
        let plugin = entry.document.as_ref().and_then(|it| it.plugin.as_ref());
        pairs.extend(plugin.map(|pin| {
            let plugin = pin.name.clone();
            (pin.hash.into(), Role::Library { action, plugin })
        }));
        for (record, result) in &entry.results {
            let record = *record;
            let log = result.log;
            pairs.extend(log.map(|log| (log, Role::Log { action, record })));
        }
    }
    for (&artifact, manifest) in &index.artifacts {
        pairs.push((artifact.into(), Role::Artifact(artifact)));
        pairs.extend(manifest.files.iter().map(|(name, file)| {
            let name = name.clone();
            (file.object, Role::File { artifact, name })
        }));
    }
    let pins = index.pins.iter();
    pairs.extend(pins.map(|(label, pinned)| (pinned.object(), Role::Pin(label.clone()))));
    // A document that cannot be read is an object that something names all the same.
    for unreadable in &index.unreadable {
        let object = match &unreadable.role {
            Role::Run(run) => (*run).into(),
            Role::Artifact(artifact) => (*artifact).into(),
            _ => continue,
        };
        pairs.push((object, unreadable.role.clone()));
    }
    gather(pairs)
}

fn gather(mut pairs: Vec<(ObjectHash, Role)>) -> Roles {
    pairs.sort_unstable();
    pairs.dedup();
    let mut roles: Vec<(ObjectHash, Vec<Role>)> = Vec::new();
    for (object, role) in pairs {
        match roles.last_mut() {
            Some((last, roles)) if *last == object => roles.push(role),
            _ => roles.push((object, vec![role])),
        }
    }
    roles.into_iter().collect()
}
