//! The forms in which documents are cached. A format that does not name its fields needs every
//! field present, which those of [`assay_core`] do not have. They are no promise to anybody: what
//! is cached in another form is forgotten.

use std::collections::BTreeMap;

use assay_core::graph::{ActionEntry, ActionSummary};
use assay_core::{
    ActionKey, ActionResult, Artifact, ArtifactHash, Containment, Limits, ObjectHash, Record, Run,
    RunHash, RunStage,
};
use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;

/// The documents that were read before.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) runs: BTreeMap<RunHash, PackedRun>,
    pub(super) actions: BTreeMap<ActionKey, PackedAction>,
    pub(super) artifacts: BTreeMap<ArtifactHash, Artifact>,
}

/// An action with the results that it had when its records were read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackedAction {
    pub(super) document: Option<ActionSummary>,
    /// The stamp of the folder of its records then.
    pub(super) folder: Option<Stamp>,
    pub(super) results: Vec<PackedRecord>,
}

impl PackedAction {
    pub(super) fn new(entry: &ActionEntry, folder: Option<Stamp>) -> Self {
        Self {
            document: entry.document.clone(),
            folder,
            results: entry.results.iter().map(Into::into).collect(),
        }
    }
}

impl From<PackedAction> for ActionEntry {
    fn from(packed: PackedAction) -> Self {
        Self {
            document: packed.document,
            results: packed.results.into_iter().map(Record::from).collect(),
        }
    }
}

/// A record in the cache.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackedRecord {
    name: ObjectHash,
    #[serde(with = "ResultForm")]
    result: ActionResult,
}

/// A run in the cache.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackedRun(#[serde(with = "RunForm")] Run);

/// [`ActionResult`] with every field present.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ActionResult")]
pub(crate) struct ResultForm {
    action: ActionKey,
    artifact: ArtifactHash,
    started_ms: u64,
    duration_ms: u64,
    peak_memory: u64,
    threads: Option<u32>,
    card: Option<String>,
    at_once: Option<u32>,
    host: String,
    version: String,
    log: Option<ObjectHash>,
    containment: Option<Containment>,
    #[serde(with = "LimitsForm")]
    limits: Limits,
    continued_from: Option<ArtifactHash>,
    epoch_ms: Vec<u64>,
    multiply_adds: Option<u64>,
}

/// [`Limits`] with every field present.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Limits")]
struct LimitsForm {
    memory: Option<u64>,
    time_ms: Option<u64>,
}

/// [`Run`] with every field present.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Run")]
struct RunForm {
    pipeline: String,
    file: ObjectHash,
    networks: Option<ObjectHash>,
    figures: BTreeMap<String, ObjectHash>,
    overrides: Vec<String>,
    started_ms: u64,
    duration_ms: u64,
    host: String,
    version: String,
    stages: Vec<RunStage>,
}

impl From<&Record> for PackedRecord {
    fn from((name, result): &Record) -> Self {
        Self {
            name: *name,
            result: result.clone(),
        }
    }
}

impl From<PackedRecord> for Record {
    fn from(PackedRecord { name, result }: PackedRecord) -> Self {
        (name, result)
    }
}

impl From<&Run> for PackedRun {
    fn from(run: &Run) -> Self {
        Self(run.clone())
    }
}

impl From<PackedRun> for Run {
    fn from(PackedRun(run): PackedRun) -> Self {
        run
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use assay_core::{
        ActionResult, Artifact, ArtifactFile, ObjectHash, PluginPin, Run, RunStage, StageKind,
        StageOutcome,
    };

    use assay_core::graph::RunHead;

    use super::*;

    fn pin() -> PluginPin {
        PluginPin {
            name: "bp".to_owned(),
            hash: ObjectHash::from_bytes([1; 32]).into(),
            abi: "1.1".to_owned(),
        }
    }

    fn record() -> Record {
        let result = ActionResult {
            action: ActionKey::from_bytes([2; 32]),
            artifact: ArtifactHash::from_bytes([3; 32]),
            started_ms: 1,
            duration_ms: 2,
            peak_memory: 3,
            threads: Some(2),
            card: Some("H100".to_owned()),
            at_once: Some(8),
            host: "here".to_owned(),
            version: "0.1.0".to_owned(),
            log: Some(ObjectHash::from_bytes([4; 32])),
            containment: Some(Containment {
                landlock: 6,
                seccomp: true,
                no_new_privileges: false,
            }),
            limits: Limits {
                memory: Some(5),
                time_ms: None,
            },
            continued_from: Some(ArtifactHash::from_bytes([6; 32])),
            epoch_ms: vec![1, 2],
            multiply_adds: Some(7),
        };
        (ObjectHash::from_bytes([5; 32]), result)
    }

    fn run() -> Run {
        Run {
            pipeline: "p".to_owned(),
            file: ObjectHash::from_bytes([6; 32]),
            networks: None,
            figures: BTreeMap::from([("f".to_owned(), ObjectHash::from_bytes([8; 32]))]),
            overrides: vec!["a=1".to_owned()],
            started_ms: 1,
            duration_ms: 2,
            host: "here".to_owned(),
            version: "0.1.0".to_owned(),
            stages: vec![RunStage {
                name: "s".to_owned(),
                outcome: StageOutcome::Failed,
                action: None,
                artifact: Some(ArtifactHash::from_bytes([7; 32])),
            }],
        }
    }

    #[test]
    fn documents_come_out_as_they_went_in() {
        let (record, run) = (record(), run());
        assert_eq!(Record::from(PackedRecord::from(&record)), record);
        assert_eq!(Run::from(PackedRun::from(&run)), run);
    }

    /// The names in the cache carry the version of the packed form: a change of the form, in here
    /// or in `assay_core`, needs another number in those names.
    #[test]
    fn the_form_is_the_one_that_the_names_stand_for() {
        let action = PackedAction {
            document: Some(ActionSummary {
                kind: StageKind::Check,
                revision: 1,
                inputs: BTreeMap::from([("i".to_owned(), ArtifactHash::from_bytes([8; 32]))]),
                plugin: Some(pin()),
            }),
            folder: None,
            results: vec![PackedRecord::from(&record())],
        };
        let file = ArtifactFile {
            object: ObjectHash::from_bytes([9; 32]),
            size: 300,
            media_type: "m".to_owned(),
        };
        let artifact = Artifact {
            files: BTreeMap::from([("f".to_owned(), file)]),
        };
        let head = RunHead {
            started_ms: 1,
            pipeline: "p".to_owned(),
            duration_ms: 2,
            outcomes: run().outcomes(),
            size: Some(3),
        };
        let all = (action, PackedRun::from(&run()), artifact, head);
        let form = ObjectHash::of(&postcard::to_allocvec(&all).unwrap());
        assert_eq!(form.short(), "5705e80e9d96");
    }
}
