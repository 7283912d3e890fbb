//! Queues of clusters behind one interface: submit an array of tasks, and say where tasks are. What a queue says
//! decides nothing about results: those are looked for in the hub.

mod hyperqueue;
mod script;
mod slurm;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assay_core::{ActionKey, Limits, Resources};
use serde::{Deserialize, Serialize};

use crate::command::CommandError;
use crate::sites::Site;

pub(crate) use self::hyperqueue::HyperQueue;
pub(crate) use self::script::script;
pub(crate) use self::slurm::Slurm;

/// The kinds of queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueKind {
    /// Slurm, through `sbatch` and `squeue`.
    Slurm,
    /// `HyperQueue`, through `hq`.
    Hyperqueue,
}

impl QueueKind {
    /// The kind of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "slurm" => Some(Self::Slurm),
            "hyperqueue" => Some(Self::Hyperqueue),
            _ => None,
        }
    }

    /// The queue, for jobs of this site.
    pub(crate) fn open(self, site: &Site) -> Box<dyn Queue + '_> {
        match self {
            Self::Slurm => Box::new(Slurm { site }),
            Self::Hyperqueue => Box::new(HyperQueue { site }),
        }
    }
}

/// An array of tasks that ask for the same.
pub(crate) struct Wave<'a> {
    /// Its name, by which its tasks are recognised in the queue.
    pub(crate) name: &'a str,
    /// The action of each task.
    pub(crate) actions: &'a [ActionKey],
    pub(crate) needs: &'a Needs,
    /// The program that tasks run.
    pub(crate) program: &'a Path,
}

/// The needs of a task beside its action.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Needs {
    pub(crate) resources: Resources,
    pub(crate) limit_memory: Option<u64>,
    pub(crate) limit_time_ms: Option<u64>,
    /// Machines that lack something.
    pub(crate) excluded: BTreeSet<String>,
}

impl Needs {
    pub(crate) fn new(resources: Resources, limits: Limits) -> Self {
        Self {
            resources,
            limit_memory: limits.memory,
            limit_time_ms: limits.time_ms,
            excluded: BTreeSet::new(),
        }
    }

    /// Memory to ask for in MiB, if anything is said.
    pub(crate) fn memory_mib(&self) -> Option<u64> {
        let limit = self
            .limit_memory
            .map(|limit| limit.saturating_add(HOST_MEMORY));
        let bytes = self.resources.memory.or(limit);
        bytes.map(|bytes| bytes.div_ceil(1 << 20))
    }

    /// Time to ask for in milliseconds, if anything is said.
    pub(crate) fn time_ms(&self) -> Option<u64> {
        let limit = self
            .limit_time_ms
            .map(|limit| limit.saturating_add(HOST_TIME_MS));
        self.resources.time_ms.or(limit)
    }
}

/// Memory of a job beyond the limit on its worker: the supervisor, and the files that it writes.
const HOST_MEMORY: u64 = 512 << 20;
/// To fetch the inputs, and to write the result.
const HOST_TIME_MS: u64 = 10 * 60 * 1000;

/// A task as the queue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueuedTask {
    /// The name of its wave.
    pub(crate) wave: String,
    /// Its number in the wave; none where the queue speaks of all of them.
    pub(crate) index: Option<usize>,
    /// Its name for the queue, such as `123_4`.
    pub(crate) job: String,
    pub(crate) state: TaskState,
    /// The queue's own word for its state.
    pub(crate) word: String,
    /// The machine, where it has one.
    pub(crate) node: Option<String>,
    /// The queue's reason for holding it, if it waits for somebody to release it.
    pub(crate) held: Option<String>,
    /// The file with what it printed.
    pub(crate) output: Option<PathBuf>,
}

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// It has not begun.
    Pending,
    /// It may be under way.
    Running,
    /// It is over.
    Ended,
    /// Somebody ended it on purpose.
    Cancelled,
}

/// A queue.
pub(crate) trait Queue {
    /// The most tasks of an array.
    fn most_tasks(&self, stopped: &dyn Fn() -> bool) -> usize;

    /// Submits an array.
    fn submit(&self, wave: &Wave<'_>, stopped: &dyn Fn() -> bool) -> Result<(), SubmitError>;

    /// Every task of ours that the queue knows of and that has not ended, and those of the waves `own` in any case.
    fn tasks(
        &self,
        own: &BTreeSet<String>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Vec<QueuedTask>, CommandError>;

    /// A command that takes the rest of our tasks out of the queue, for the user to type.
    fn cancel_command(&self, waves: &BTreeSet<String>) -> String;
}

/// The reason that an array is not in the queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// The queue cannot be reached now.
    #[error(transparent)]
    Unreachable(CommandError),
    /// The user has as many tasks in it as he may.
    #[error(transparent)]
    Full(CommandError),
    /// It will not have such an array.
    #[error(transparent)]
    Refused(CommandError),
}

/// The beginning of the names of our arrays.
const PREFIX: &str = "assay-";

/// Hexadecimal digits of a wave's name: 8 of the hub and 16 of its own.
const WAVE: usize = 24;

/// The name of an array in the queue.
fn array_name(wave: &str) -> String {
    format!("{PREFIX}{wave}")
}

/// The wave of an array with this name, if it is one of ours.
fn wave_of(array: &str) -> Option<&str> {
    let wave = array.strip_prefix(PREFIX)?;
    let is_one = wave.len() == WAVE && wave.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(wave)
}
