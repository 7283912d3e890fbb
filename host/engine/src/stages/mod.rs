//! The stages: each turns an action's inputs and parameters into files in its output folder. A
//! stage sees what [`Context`] shows it, never the store, the plan or another stage.
//!
//! A kind of stage is one module with a [`Kind`]: how a pipeline file's stage of the kind is
//! planned, how an action of it is executed, and under which conditions.

mod answers;
mod check;
mod context;
mod dataset;
mod describe;
mod directions;
mod evaluate;
mod export;
mod measure;
mod report;
mod search;
mod splits;
mod train;

use assay_core::{StageKind, StageTable};
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use check::{CHECKED, CheckDocument, CheckParameters, PRINTED};
pub(crate) use context::{Context, Outputs, Shorter, StageError};
use context::{
    LearnerSettings, Phase, cancelled, data, read, read_document, write, write_document,
};
pub(crate) use dataset::PlannedDataset;
pub(crate) use describe::PLUGIN;
pub(crate) use directions::{
    BATCH as DIRECTIONS_BATCH, DIRECTIONS, DirectionsParameters, STATE as DIRECTIONS_STATE,
};
pub(crate) use evaluate::EVALUATION;
pub use evaluate::PREDICTIONS;
pub use report::{REPORT_METRICS, REPORT_TABLE};
pub(crate) use search::RANKING;
pub(crate) use train::{
    BEST, DATASET, EPOCHS, FINAL, METRICS, TRAINING, TrainingDocument, kept_epoch, kept_state,
};
pub use train::{TrainingParameters, newest_checkpoint};

use crate::containment::Profile;
use crate::plan::Planner;

pub(crate) const PARQUET: &str = "application/vnd.apache.parquet";
pub(crate) const JSON: &str = "application/json";
pub(crate) const SAFETENSORS: &str = "application/vnd.safetensors";
pub(crate) const TEXT: &str = "text/plain";
pub(crate) const ARROW: &str = "application/vnd.apache.arrow.file";

/// The largest integer that RFC 8785 JSON holds exactly.
const LARGEST_SEED: i64 = 1 << 53;

/// A kind of stage.
pub(crate) struct Kind {
    /// Reads a stage of this kind in a pipeline file and adds its instances to the plan. Kinds
    /// that only commands ask for have none.
    pub(crate) plan: Option<fn(&StageTable, &mut Planner<'_>)>,
    /// Executes an action of the kind in a worker.
    run: fn(&Context) -> Result<Outputs, StageError>,
    /// Rights that a worker of the kind keeps.
    pub(crate) profile: Profile,
    /// Whether a worker that is asked to stop gets the time to keep what it has done so far.
    pub(crate) keeps_progress: bool,
    /// The parameter that says how long the action goes on, if an action with more of it can go on
    /// from the artifact of one with less.
    pub(crate) length: Option<&'static str>,
}

impl Kind {
    /// A kind that only commands ask for.
    const fn of_commands(run: fn(&Context) -> Result<Outputs, StageError>) -> Self {
        Self {
            plan: None,
            run,
            profile: Profile::Sealed,
            keeps_progress: false,
            length: None,
        }
    }

    /// The description of each kind.
    pub(crate) const fn of(kind: StageKind) -> &'static Self {
        match kind {
            StageKind::Describe => &describe::KIND,
            StageKind::Dataset => &dataset::KIND,
            StageKind::Train => &train::KIND,
            StageKind::Search => &search::KIND,
            StageKind::Evaluate => &evaluate::KIND,
            StageKind::Report => &report::KIND,
            StageKind::Directions => &directions::KIND,
            StageKind::Check => &check::KIND,
            StageKind::Export => &export::KIND,
        }
    }
}

/// Executes the action of `context`.
pub(crate) fn run(context: &Context) -> Result<Outputs, StageError> {
    (Kind::of(context.action.kind).run)(context)
}

/// Parameters as the JSON object that an action holds.
pub(crate) fn object<T: Serialize>(
    parameters: &T,
) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::to_value(parameters)? {
        Value::Object(fields) => Ok(fields),
        other => Err(serde::ser::Error::custom(format!("{other} is no object"))),
    }
}
