//! Which actions a name stands for when they are to be executed again, and what each is to give.

use std::collections::BTreeSet;

use assay_audit::{Index, Subject};
use assay_core::graph::ActionEntry;
use assay_core::{ActionKey, Advice, ArtifactHash, Limits, RunHash};

use super::Part;

/// An action that is executed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The stage's name where it is known, else the beginning of the action's key.
    pub name: String,
    /// The action.
    pub action: ActionKey,
    /// The artifact that it gave, with which that of a new execution is compared.
    pub recorded: ArtifactHash,
    /// Resource limits of its worker, then and now.
    pub limits: Limits,
    /// The part of it that is executed; all of it where there is none.
    pub part: Option<Part>,
}

/// A name that stands for no action with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "that is a {0}, and no action with a result stands behind it; name a run, a stage, an action or an artifact"
)]
pub struct NoAction(&'static str);

impl Advice for NoAction {}

impl Target {
    /// The actions behind `subject`, each once: of a run, in the order of its stages.
    ///
    /// # Errors
    /// There is none.
    pub fn of(index: &Index, subject: &Subject) -> Result<Vec<Self>, NoAction> {
        let targets: Vec<_> = match subject {
            Subject::Run(run) => of_run(index, *run),
            Subject::Stage {
                stage,
                action,
                artifact: Some(artifact),
                ..
            } => vec![target(index, stage.clone(), *action, *artifact)],
            Subject::Action(action) => of_action(index, *action).into_iter().collect(),
            Subject::Result { action, record } => {
                let results = index.actions().get(action).map(|entry| &entry.results);
                let mut results = results.into_iter().flatten();
                let result = results.find(|(name, _)| name == record);
                let artifact = result.map(|(_, result)| result.artifact);
                artifact
                    .map(|artifact| target(index, name(index, *action), *action, artifact))
                    .into_iter()
                    .collect()
            }
            Subject::Artifact(artifact) | Subject::File { artifact, .. } => index
                .producers(*artifact)
                .map(|action| target(index, name(index, action), action, *artifact))
                .collect(),
            Subject::Stage { artifact: None, .. } | Subject::Object(_) => Vec::new(),
        };
        if targets.is_empty() {
            return Err(NoAction(subject.what()));
        }
        Ok(targets)
    }
}

fn of_run(index: &Index, run: RunHash) -> Vec<Target> {
    let stages = index.runs().get(&run).map(|entry| &entry.run.stages);
    let mut seen = BTreeSet::new();
    let stages = stages.into_iter().flatten();
    stages
        .filter_map(|stage| {
            let (action, artifact) = (stage.action?, stage.artifact?);
            seen.insert(action)
                .then(|| target(index, stage.name.clone(), action, artifact))
        })
        .collect()
}

/// The action with what it gave first.
fn of_action(index: &Index, action: ActionKey) -> Option<Target> {
    let (_, first) = index.actions().get(&action)?.results.first()?;
    Some(target(index, name(index, action), action, first.artifact))
}

fn target(index: &Index, name: String, action: ActionKey, recorded: ArtifactHash) -> Target {
    let results = index
        .actions()
        .get(&action)
        .map(|entry: &ActionEntry| &entry.results);
    let mut results = results.into_iter().flatten();
    let of_recorded = results.find(|(_, result)| result.artifact == recorded);
    Target {
        name,
        action,
        recorded,
        limits: of_recorded.map_or_else(Limits::default, |(_, result)| result.limits),
        part: None,
    }
}

/// The stage's name in the latest run that has the action; where none has it, the beginning of the
/// action's key.
fn name(index: &Index, action: ActionKey) -> String {
    let stages = index.stages(action);
    let latest = stages
        .iter()
        .max_by_key(|it| index.runs().get(&it.run).map(|entry| entry.started_ms));
    latest.map_or_else(|| action.short(), |it| it.stage.clone())
}
