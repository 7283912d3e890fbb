//! The events of a run: one stream, from which the progress display, the record that other processes
//! watch (`store::RunLog`) and `--events` are fed. `docs/watching.md` describes every field.

mod curve;
mod file;
mod follow;
mod reader;
mod state;
mod tensorboard;

use assay_core::{ActionKey, ArtifactHash, RunHash, StageKind};
use serde::{Deserialize, Serialize};

pub(crate) use self::curve::EpochMaker;
pub use self::curve::stored_curve;
pub use self::file::EventFile;
pub use self::follow::{FollowError, FollowedRun, Following, runs_under_way};
pub use self::reader::EventReader;
pub use self::state::{RunState, StageCounts, StageState, StageStatus};
pub use self::tensorboard::{TensorBoardFolder, write_scalars};

use crate::event::{Epoch, News, Progress};
use crate::plan::PlannedStage;
use crate::run::RunOutcome;
use crate::supervise::now_ms;

/// The version of the format of events. Another one means that a reader of this one may misread them;
/// fields and kinds of events may be added without it.
pub const EVENT_VERSION: u32 = 1;

/// An event with its run and moment, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// The version of the format, [`EVENT_VERSION`].
    pub version: u32,
    /// The run's name while it is under way, which tells the runs of one file apart.
    pub id: String,
    /// In milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happens in a run, or to the targets of a rerun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// The name of the pipeline.
        pipeline: String,
        /// The machine.
        host: String,
        /// The number of the process there.
        pid: u32,
        /// The version of Assay.
        assay: String,
        /// Every stage, in the plan's order.
        stages: Vec<StageOutline>,
    },
    /// A stage's result was there already.
    StageCached {
        /// The stage.
        stage: String,
        /// Its action.
        action: ActionKey,
        /// What it gave.
        artifact: ArtifactHash,
    },
    /// Nothing can go on before another run has finished the stage.
    StageWaiting {
        /// The stage.
        stage: String,
        /// Its action.
        action: ActionKey,
    },
    /// The stage's action stands in the queue of a cluster.
    StageQueued {
        /// The stage.
        stage: String,
        /// Its action.
        action: ActionKey,
    },
    /// A worker was started for the stage.
    StageStarted {
        /// The stage.
        stage: String,
        /// Its action.
        action: ActionKey,
    },
    /// The stage's worker is so far.
    StageProgress {
        /// The stage.
        stage: String,
        /// How far.
        #[serde(flatten)]
        progress: Progress,
    },
    /// A training finished an epoch, or goes on from it.
    Epoch {
        /// The stage.
        stage: String,
        /// The epoch and what was measured after it.
        #[serde(flatten)]
        epoch: Epoch,
    },
    /// A training ended early: a value became infinite or not a number.
    Diverged {
        /// The stage.
        stage: String,
        /// The epoch in which it did, counted from 1.
        epoch: u32,
    },
    /// The stage ran and gave its artifact.
    StageFinished {
        /// The stage.
        stage: String,
        /// Its action.
        action: ActionKey,
        /// What it gave.
        artifact: ArtifactHash,
        /// The time that it took, interrupted executions included, in milliseconds.
        duration_ms: u64,
    },
    /// The stage was executed again by an audit, which compared what came out.
    StageRepeated {
        /// The stage.
        stage: String,
        /// Whether the same bytes came out.
        same: bool,
    },
    /// The stage failed.
    StageFailed {
        /// The stage.
        stage: String,
        /// Why, in a sentence.
        message: String,
    },
    /// The stage was stopped on request; a training goes on from its last finished epoch next time.
    StageStopped {
        /// The stage.
        stage: String,
    },
    /// Something that concerns no stage alone, such as a remote that does not answer.
    Remark {
        /// In a sentence.
        message: String,
    },
    /// The run ended.
    RunFinished {
        /// How.
        outcome: RunOutcome,
        /// Its record in the store; absent where it could not be recorded.
        run: Option<RunHash>,
    },
}

/// A stage of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageOutline {
    /// Its name.
    pub stage: String,
    /// Its kind.
    pub kind: StageKind,
    /// How many epochs a training has, where that is known before it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
}

impl StageOutline {
    pub(crate) fn of(stage: &PlannedStage) -> Self {
        Self {
            stage: stage.name.clone(),
            kind: stage.kind(),
            epochs: stage.training().map(|training| training.epochs),
        }
    }
}

impl Event {
    /// What a stage's execution reports, as an event.
    pub fn of_news(stage: &str, news: News) -> Self {
        let stage = stage.to_owned();
        match news {
            News::Progress(progress) => Self::StageProgress { stage, progress },
            News::Epoch(epoch) => Self::Epoch { stage, epoch },
            News::Diverged { epoch } => Self::Diverged { stage, epoch },
        }
    }
}

/// Receives what happens in a run or a rerun, from several threads.
pub trait Observer: Sync {
    /// It happened.
    fn observe(&self, event: &RunEvent);
}

/// Receives nothing.
impl Observer for () {
    fn observe(&self, _: &RunEvent) {}
}

/// Gives events their run and moment, and hands them on.
#[derive(Clone)]
pub struct Announcer<'a> {
    id: String,
    observers: Vec<&'a dyn Observer>,
}

impl<'a> Announcer<'a> {
    /// Announces the events of the run of this name; outside of runs the name is empty.
    pub fn new(id: &str, observers: Vec<&'a dyn Observer>) -> Self {
        Self {
            id: id.to_owned(),
            observers,
        }
    }

    /// Hands an event to every observer.
    pub fn announce(&self, event: Event) {
        let event = RunEvent {
            version: EVENT_VERSION,
            id: self.id.clone(),
            time_ms: now_ms(),
            event,
        };
        self.observers
            .iter()
            .for_each(|observer| observer.observe(&event));
    }
}
