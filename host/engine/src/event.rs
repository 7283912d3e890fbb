//! Reports of a worker to its supervisor: one JSON object a line, on a pipe that plugins cannot
//! write to by printing.

use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use assay_core::{ArtifactHash, Containment};
use serde::{Deserialize, Serialize};

/// The progress of an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The current phase, such as `epoch 2/5`.
    pub phase: String,
    /// Units done in this phase.
    pub done: u64,
    /// Units in this phase; 0 where that is not known.
    pub total: u64,
    /// The unit of `done` and `total`.
    pub unit: Unit,
    /// The fraction of the whole action that is done, from 0 to 1; 0 where that is not known.
    pub fraction: f64,
}

/// Unit in which progress is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Samples of a dataset.
    Samples,
    /// Bytes of a download.
    Bytes,
}

/// Receives what happens to the stages of a run or the targets of a rerun, from several threads.
pub trait Observer: Sync {
    /// A worker was started for the stage.
    fn started(&self, stage: &str);
    /// Nothing can go on before another run has finished the stage.
    fn waiting(&self, _stage: &str) {}
    /// The stage's worker is so far.
    fn progress(&self, stage: &str, progress: &Progress);
    /// The stage came to its end.
    fn finished(&self, stage: &str, end: StageEnd);
}

/// The end of the work on a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageEnd {
    /// It ran.
    Ran {
        /// The time that it took, interrupted executions included.
        duration_ms: u64,
    },
    /// It was executed again, and the same bytes came out.
    Same,
    /// It was executed again, and other bytes came out.
    Differs,
    /// It failed.
    Failed,
    /// It was not executed: it is cached, was skipped or stopped, or cannot be executed here.
    NotExecuted,
}

/// A file that an action leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) media_type: String,
}

/// A worker's report of success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) outputs: Vec<Output>,
    /// Peak memory of the worker, in bytes.
    pub(crate) peak_memory: u64,
    /// Time that interrupted executions of this action had taken before, in milliseconds.
    pub(crate) earlier_ms: u64,
    /// The artifact of a shorter training that it went on from.
    pub(crate) continued_from: Option<ArtifactHash>,
}

/// A line from a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Event {
    /// Nothing was loaded before this.
    Contained(Containment),
    Progress(Progress),
    /// The outputs lie in the output folder.
    Done(Done),
    Failed {
        message: String,
        help: String,
        chain: Vec<String>,
    },
    Cancelled,
}

/// The shortest time between two lines of progress.
const INTERVAL: Duration = Duration::from_millis(100);

/// The worker's end of the pipe.
#[derive(Debug)]
pub(crate) struct Reporter {
    pipe: Mutex<(File, Instant)>,
}

impl Reporter {
    pub(crate) fn new(pipe: File) -> Self {
        let long_ago = Instant::now()
            .checked_sub(INTERVAL)
            .unwrap_or_else(Instant::now);
        Self {
            pipe: Mutex::new((pipe, long_ago)),
        }
    }

    /// Sends a line. A supervisor that is gone takes no lines: the worker is about to be killed.
    pub(crate) fn send(&self, event: &Event) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            let _ = pipe.0.write_all(&line);
        }
    }

    /// Sends progress, unless a line went out a moment ago.
    pub(crate) fn progress(&self, progress: Progress) {
        {
            let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
            if pipe.1.elapsed() < INTERVAL {
                return;
            }
            pipe.1 = Instant::now();
        }
        self.send(&Event::Progress(progress));
    }
}
