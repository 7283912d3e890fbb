//! The roles of objects, in words: how runs, actions, artifacts and pins name them.

use assay_audit::Index;
use assay_core::graph::Role;
use assay_core::{ActionKey, ArtifactHash, ObjectHash};

use crate::ui::action;
use crate::ui::words::plain;

/// Roles that are told one by one.
const NAMED_ROLES: usize = 5;

/// The roles of an object in words, a line for each.
pub(crate) fn roles(index: &Index, object: ObjectHash) -> String {
    let roles = index.roles(object);
    let mut lines: Vec<_> = roles.iter().map(|role| self::role(index, role)).collect();
    lines.dedup();
    if lines.is_empty() {
        return "bytes that nothing in this store names".to_owned();
    }
    let more = lines.len().saturating_sub(NAMED_ROLES);
    lines.truncate(NAMED_ROLES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// The first thing that the object is, in a few words.
pub(crate) fn first_role(index: &Index, object: ObjectHash) -> String {
    match index.roles(object).first() {
        None => "bytes that nothing names".to_owned(),
        Some(Role::File { artifact, name }) => {
            format!("{} of artifact {}", plain(name), artifact.short())
        }
        Some(Role::Library { plugin, .. }) => format!("the library of plugin {}", plain(plugin)),
        Some(Role::Log { action, .. }) => format!("the log of action {}", action.short()),
        Some(other) => role(index, other),
    }
}

fn role(index: &Index, role: &Role) -> String {
    match role {
        Role::Run(_) => "the manifest of a run".to_owned(),
        Role::Action(_) => "the document of an action".to_owned(),
        Role::Artifact(_) => "the manifest of an artifact".to_owned(),
        Role::File { artifact, name } => {
            let artifact = artifact_words(index, *artifact);
            format!("{} of artifact {artifact}", plain(name))
        }
        Role::Library { action, plugin } => {
            let users = index.actions().values().filter(|entry| {
                let document = entry.document.as_ref();
                let pin = document.and_then(|document| document.plugin.as_ref());
                let used = index.actions().get(action);
                let used = used.and_then(|entry| entry.document.as_ref()?.plugin.as_ref());
                pin.map(|pin| pin.hash) == used.map(|pin| pin.hash)
            });
            let plugin = plain(plugin);
            format!(
                "the library of plugin {plugin}, used by {} actions",
                users.count()
            )
        }
        Role::Log { action, .. } => {
            format!("the log of {}", action_words(index, *action))
        }
        Role::PipelineFile(run) => format!("the pipeline file of run {}", run.short()),
        Role::NetworksFile(run) => format!("the file of networks of run {}", run.short()),
        Role::FiguresFile(run) => format!("a file of published figures of run {}", run.short()),
        Role::Pin(label) => format!("pinned as {}", plain(label)),
    }
}

/// An artifact by what made it: `42a5db9457ae, made by train 38fd6cad4f62 (quickstart …)`.
pub(crate) fn artifact_words(index: &Index, artifact: ArtifactHash) -> String {
    let mut makers = index.producers(artifact);
    match makers.next() {
        None => format!("{}, which nothing here made", artifact.short()),
        Some(maker) => {
            let others = makers.count();
            let others = match others {
                0 => String::new(),
                others => format!(", and by {others} more"),
            };
            let maker = action_words(index, maker);
            format!("{}, made by {maker}{others}", artifact.short())
        }
    }
}

/// An action by its kind and where it was used.
pub(crate) fn action_words(index: &Index, key: ActionKey) -> String {
    let kind = kind(index, key);
    let uses = action::uses(index, index.stages(key).get(..1).unwrap_or_default());
    if uses.is_empty() {
        format!("{kind} {}", key.short())
    } else {
        format!("{kind} {} ({uses})", key.short())
    }
}

/// The kind of an action; `action` where that cannot be read.
pub(crate) fn kind(index: &Index, key: ActionKey) -> &'static str {
    let entry = index.actions().get(&key);
    let document = entry.and_then(|entry| entry.document.as_ref());
    document.map_or("action", |document| document.kind.name())
}
