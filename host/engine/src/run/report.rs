//! Reports of a run and of its stages.

use std::borrow::Cow;
use std::sync::Arc;

use assay_core::{ActionKey, ActionResult, RunHash, RunStage, StageOutcome};
use assay_store::Store;
use serde::{Deserialize, Serialize};

use crate::freeze::FrozenStage;
use crate::plan::PlannedStage;
use crate::stages::TrainingParameters;
use crate::stream::Event;
use crate::supervise::Failure;

/// Report of a stage that came to its end.
#[derive(Debug)]
pub struct StageReport {
    /// The stage as it was planned.
    pub planned: Arc<PlannedStage>,
    /// Its outcome.
    pub outcome: StageOutcome,
    /// Its action, once it was known.
    pub key: Option<ActionKey>,
    /// Its result, if it has one.
    pub result: Option<ActionResult>,
    /// The failure or cancellation that left it without a result, if there was one.
    pub failure: Option<Failure>,
}

impl StageReport {
    /// The parameters of a training, those that a search chose included.
    pub fn training(&self, store: &Store) -> Option<Cow<'_, TrainingParameters>> {
        if let Some(planned) = self.planned.training() {
            return Some(Cow::Borrowed(planned));
        }
        self.planned.chosen()?;
        let action = store.action(self.key?).ok()?;
        let parameters = serde_json::Value::Object(action.parameters);
        Some(Cow::Owned(serde_json::from_value(parameters).ok()?))
    }

    /// The report of a stage that nobody began.
    pub(super) fn skipped(stage: &FrozenStage) -> Self {
        Self {
            planned: Arc::clone(&stage.planned),
            outcome: StageOutcome::Skipped,
            key: None,
            result: None,
            failure: None,
        }
    }

    /// The stage as the run's manifest has it.
    pub(crate) fn entry(&self) -> RunStage {
        RunStage {
            name: self.planned.name.clone(),
            outcome: self.outcome,
            action: self.key,
            artifact: self.result.as_ref().map(|result| result.artifact),
        }
    }

    /// Its end as an event; none where it never began.
    pub(super) fn event(&self) -> Option<Event> {
        let stage = self.planned.name.clone();
        Some(match (&self.result, self.key, &self.failure) {
            (Some(result), Some(action), _) if self.outcome == StageOutcome::Cached => {
                Event::StageCached {
                    stage,
                    action,
                    artifact: result.artifact,
                }
            }
            (Some(result), Some(action), _) => Event::StageFinished {
                stage,
                action,
                artifact: result.artifact,
                duration_ms: result.duration_ms,
            },
            (_, _, Some(Failure::Cancelled)) => Event::StageStopped { stage },
            (_, _, Some(failure)) => Event::StageFailed {
                stage,
                message: failure.to_string(),
            },
            (_, _, None) => return None,
        })
    }
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every stage has a result.
    Complete,
    /// Some stage failed.
    Failed,
    /// It was asked to stop.
    Stopped,
}

/// A whole run.
#[derive(Debug)]
pub struct RunReport {
    /// The run's manifest in the store.
    pub hash: RunHash,
    /// Its end.
    pub outcome: RunOutcome,
    /// Every stage, in the plan's order.
    pub stages: Vec<StageReport>,
}
