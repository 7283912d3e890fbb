//! Reports of a worker to its supervisor: one JSON object a line, on a pipe that plugins cannot
//! write to by printing.

use std::collections::BTreeMap;
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

/// The measurements of one epoch of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u32,
    /// How many epochs the training has.
    pub epochs: u32,
    /// Whether it was measured before this execution began, which goes on from there.
    pub restored: bool,
    /// The value of each metric after the epoch, by split and name; of the metrics that the plugin
    /// reports, the first [`MOST_METRICS`].
    pub measured: BTreeMap<String, BTreeMap<String, f64>>,
    /// The best epoch so far; absent where none could be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<BestEpoch>,
}

/// The epoch whose state a training would keep as the best if it ended now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestEpoch {
    /// Counted from 1.
    pub epoch: u32,
    /// The split whose error chooses it.
    pub split: String,
    /// The name of that error's metric.
    pub metric: String,
    /// Its value after that epoch.
    pub value: f64,
}

/// The most metrics of a split that are reported of an epoch: what a plugin calls them is not bounded
/// otherwise, and the table of metrics has them all.
pub(crate) const MOST_METRICS: usize = 100;

/// What an execution reports before it ends.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// It is so far.
    Progress(Progress),
    /// An epoch was measured.
    Epoch(Epoch),
    /// The training ended early: a value became infinite or not a number.
    Diverged {
        /// The epoch in which it did, counted from 1.
        epoch: u32,
    },
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
    /// The time of the training pass of each epoch that this action trained itself, in milliseconds.
    pub(crate) epoch_ms: Vec<u64>,
    /// The multiply-adds for each sample in the last of those epochs.
    pub(crate) multiply_adds: Option<u64>,
}

/// A line from a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Report {
    /// Nothing was loaded before this.
    Contained(Containment),
    Progress(Progress),
    Epoch(Epoch),
    Diverged {
        epoch: u32,
    },
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
    pub(crate) fn send(&self, event: &Report) {
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
        self.send(&Report::Progress(progress));
    }
}
