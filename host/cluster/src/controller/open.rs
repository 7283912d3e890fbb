//! The actions that a controller waits for, and their jobs.

use std::time::Instant;

use assay_engine::Task;

use crate::queue::{Needs, QueuedTask, TaskState};

/// Lines of a job's output that an error shows, and the most bytes of it that are read.
const LOG_LINES: usize = 40;
const LOG_BYTES: u64 = 1 << 20;

/// An action that has not ended.
pub(super) struct Open {
    /// The stages that wait for it.
    pub(super) tasks: Vec<Task>,
    pub(super) needs: Needs,
    pub(super) job: Option<Job>,
    /// The times that it was lost since it last got on, and those that machines refused it.
    pub(super) lost: u32,
    pub(super) refused: u32,
    pub(super) checkpoint: Option<String>,
}

/// The job of an action.
pub(super) struct Job {
    pub(super) wave: String,
    pub(super) index: usize,
    /// As the queue has it, once it has told.
    pub(super) queued: Option<QueuedTask>,
    pub(super) submitted: Instant,
    /// The run was told that it began.
    pub(super) is_started: bool,
    /// When it was first seen to have ended.
    pub(super) ended: Option<Instant>,
    /// Results were looked for since.
    pub(super) is_looked_for: bool,
}

impl Job {
    pub(super) fn new(wave: String, index: usize) -> Self {
        Self {
            wave,
            index,
            queued: None,
            submitted: Instant::now(),
            is_started: false,
            ended: None,
            is_looked_for: false,
        }
    }

    pub(super) fn is_in_state(&self, state: TaskState) -> bool {
        self.queued
            .as_ref()
            .is_some_and(|queued| queued.state == state)
    }

    /// The last lines that it printed.
    pub(super) fn output(&self) -> Option<Vec<String>> {
        let output = self.queued.as_ref()?.output.as_ref()?;
        let bytes = assay_files::read(output, LOG_BYTES).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        Some(lines[lines.len().saturating_sub(LOG_LINES)..].to_vec())
    }

    /// `job 12_3 (TIMEOUT on node7)`
    pub(super) fn words(&self) -> String {
        let Some(queued) = &self.queued else {
            return "job, which the queue does not know,".to_owned();
        };
        let node = queued.node.as_ref();
        let node = node.map_or(String::new(), |node| format!(" on {node}"));
        format!("job {} ({}{node})", queued.job, queued.word)
    }
}
