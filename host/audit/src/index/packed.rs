//! The forms in which documents are remembered: those of [`assay_core`] with every field present,
//! as a format that does not name its fields needs them. They are no promise to anybody: what is
//! remembered in another form is forgotten.

use std::collections::BTreeMap;

use assay_core::{
    ActionKey, ActionResult, Artifact, ArtifactHash, Containment, Limits, ObjectHash, Run, RunHash,
    RunStage,
};
use assay_store::{Record, Stamp};
use serde::{Deserialize, Serialize};

use super::ActionSummary;

pub(super) type Runs = BTreeMap<RunHash, PackedRun>;
pub(super) type Actions = BTreeMap<ActionKey, PackedAction>;
pub(super) type Artifacts = BTreeMap<ArtifactHash, Artifact>;

/// An action with the results that it had when its records were read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackedAction {
    pub(super) document: Option<ActionSummary>,
    /// The stamp of the folder of its records then.
    pub(super) folder: Option<Stamp>,
    pub(super) results: Vec<PackedRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackedRecord {
    name: ObjectHash,
    action: ActionKey,
    artifact: ArtifactHash,
    started_ms: u64,
    duration_ms: u64,
    peak_memory: u64,
    host: String,
    version: String,
    log: Option<ObjectHash>,
    containment: Option<Containment>,
    limits: (Option<u64>, Option<u64>),
}

impl From<&Record> for PackedRecord {
    fn from((name, result): &Record) -> Self {
        Self {
            name: *name,
            action: result.action,
            artifact: result.artifact,
            started_ms: result.started_ms,
            duration_ms: result.duration_ms,
            peak_memory: result.peak_memory,
            host: result.host.clone(),
            version: result.version.clone(),
            log: result.log,
            containment: result.containment,
            limits: (result.limits.memory, result.limits.time_ms),
        }
    }
}

impl From<PackedRecord> for Record {
    fn from(packed: PackedRecord) -> Self {
        let (memory, time_ms) = packed.limits;
        let result = ActionResult {
            action: packed.action,
            artifact: packed.artifact,
            started_ms: packed.started_ms,
            duration_ms: packed.duration_ms,
            peak_memory: packed.peak_memory,
            host: packed.host,
            version: packed.version,
            log: packed.log,
            containment: packed.containment,
            limits: Limits { memory, time_ms },
        };
        (packed.name, result)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackedRun {
    pipeline: String,
    file: ObjectHash,
    networks: Option<ObjectHash>,
    overrides: Vec<String>,
    started_ms: u64,
    duration_ms: u64,
    host: String,
    version: String,
    stages: Vec<RunStage>,
}

impl From<&Run> for PackedRun {
    fn from(run: &Run) -> Self {
        let run = run.clone();
        Self {
            pipeline: run.pipeline,
            file: run.file,
            networks: run.networks,
            overrides: run.overrides,
            started_ms: run.started_ms,
            duration_ms: run.duration_ms,
            host: run.host,
            version: run.version,
            stages: run.stages,
        }
    }
}

impl From<PackedRun> for Run {
    fn from(packed: PackedRun) -> Self {
        Self {
            pipeline: packed.pipeline,
            file: packed.file,
            networks: packed.networks,
            overrides: packed.overrides,
            started_ms: packed.started_ms,
            duration_ms: packed.duration_ms,
            host: packed.host,
            version: packed.version,
            stages: packed.stages,
        }
    }
}
