//! Runs under way in words and for scripts.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use assay_core::ActionKey;
use assay_engine::{Epoch, RunState, StageState};
use serde::Serialize;

use crate::ui::training;
use crate::ui::words::{count, digits};

/// A run under way.
#[derive(Serialize)]
pub(crate) struct RunUnderWay<'a> {
    pub(crate) id: &'a str,
    pub(crate) pipeline: &'a str,
    pub(crate) host: &'a str,
    pub(crate) pid: u32,
    pub(crate) started_ms: u64,
    pub(crate) stages: usize,
    pub(crate) done: usize,
    pub(crate) running: Vec<RunningStage<'a>>,
}

/// A stage that a worker is at.
#[derive(Serialize)]
pub(crate) struct RunningStage<'a> {
    pub(crate) stage: &'a str,
    pub(crate) action: Option<ActionKey>,
    /// The fraction that is done, from 0 to 1.
    fraction: Option<f64>,
    /// The time that it will still take, if it goes on as so far.
    left_ms: Option<u64>,
    /// The last epoch of a training.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<&'a Epoch>,
    #[serde(skip)]
    words: Vec<String>,
}

impl<'a> RunUnderWay<'a> {
    pub(crate) fn of(run: &'a RunState) -> Self {
        let now_ms = now_ms();
        Self {
            id: &run.id,
            pipeline: &run.pipeline,
            host: &run.host,
            pid: run.pid,
            started_ms: run.started_ms,
            stages: run.stages.len(),
            done: run.counts.done(),
            running: run
                .running()
                .map(|stage| RunningStage::of(stage, now_ms))
                .collect(),
        }
    }
}

impl<'a> RunningStage<'a> {
    fn of(stage: &'a StageState, now_ms: u64) -> Self {
        Self {
            stage: &stage.name,
            action: stage.action,
            fraction: stage.progress.as_ref().map(|it| it.fraction),
            left_ms: stage.left_ms(now_ms),
            epoch: stage.curve.last(),
            words: training::words(stage, now_ms),
        }
    }

    /// Where it is, in as many columns.
    pub(crate) fn words(&self, room: usize) -> String {
        training::fitted(&self.words, room)
    }
}

/// Milliseconds since 1970 (UTC).
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as u64
}

/// How many stages are where: `5 of 12 stages done (3 cached), 2 running`.
pub(crate) fn whole(run: &RunState) -> String {
    let counts = run.counts;
    let mut words = format!(
        "{} of {} done",
        digits(counts.done() as u64),
        count(run.stages.len() as u64, "stage")
    );
    if counts.cached > 0 {
        let _ = write!(words, " ({} cached)", digits(counts.cached as u64));
    }
    for (count, word) in [
        (counts.running, "running"),
        (counts.queued, "queued"),
        (counts.waiting, "at another run"),
        (counts.failed, "failed"),
    ] {
        if count > 0 {
            let _ = write!(words, ", {} {word}", digits(count as u64));
        }
    }
    words
}
