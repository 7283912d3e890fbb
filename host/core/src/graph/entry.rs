//! The documents of the graph with what is known of them beside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action::{Action, PluginPin};
use crate::hash::{ArtifactHash, RunHash};
use crate::kind::StageKind;
use crate::result::Record;
use crate::run::{Outcomes, Run, RunStage};

/// A run that a marker or a pin names.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEntry {
    /// When it began, in milliseconds since 1970 (UTC), as its marker says if it has one.
    pub started_ms: u64,
    /// Its manifest.
    pub run: Run,
}

/// The part of a run that a list of runs needs, without its stages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHead {
    /// When it began, in milliseconds since 1970 (UTC), as its marker says if it has one.
    pub started_ms: u64,
    /// The name of the pipeline.
    pub pipeline: String,
    /// Its duration, in milliseconds.
    pub duration_ms: u64,
    /// The outcomes of its stages.
    pub outcomes: Outcomes,
    /// The bytes of the files that its stages gave, each file once, where they were summed before.
    pub size: Option<u64>,
}

/// An action that a run, a result or a pin names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActionEntry {
    /// Summary of its document; nothing if that cannot be read.
    pub document: Option<ActionSummary>,
    /// Its results, the first one first.
    pub results: Vec<Record>,
}

impl ActionEntry {
    /// An action with its results, in any order.
    pub fn new(document: Option<ActionSummary>, mut results: Vec<Record>) -> Self {
        let order = |(name, result): &Record| (result.started_ms, *name);
        results.sort_unstable_by_key(order);
        Self { document, results }
    }
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

impl StageUse {
    pub(super) fn of(run: RunHash, stage: &RunStage) -> Self {
        Self {
            run,
            stage: stage.name.clone(),
            artifact: stage.artifact,
        }
    }
}
