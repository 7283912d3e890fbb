//! Stages of a run that others execute, such as the jobs of a cluster.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use assay_core::ActionKey;

use super::state::State;
use super::{Happened, Runner};
use crate::elsewhere::{Client, Task};
use crate::stream::Event;
use crate::supervise::{Completed, Failure};

impl Runner<'_> {
    /// True of a stage that others execute: it loads a plugin, and there are others. Whatever needs the
    /// network or the user's own files, and the small work between trainings, stays here.
    pub(super) fn is_for_others(&self, at: usize) -> bool {
        self.elsewhere.executor.is_some() && self.stages[at].planned.plugin.is_some()
    }

    /// The stage as those get it who execute it.
    fn task(&self, at: usize, key: ActionKey) -> Task {
        let frozen = &self.stages[at];
        Task {
            stage: at,
            name: frozen.planned.name.clone(),
            key,
            limits: frozen.planned.limits,
            resources: frozen.resources(),
        }
    }

    /// Hands the pending stages that are for others over to them; how many.
    pub(super) fn hand_over(&self, state: &mut State<'_>, tasks: &Sender<Task>) -> usize {
        let mut handed = 0;
        if self.stops(state) {
            return handed;
        }
        let pending = std::mem::take(&mut state.pending);
        for (at, key) in pending {
            if !self.is_for_others(at) || !state.has_room(&self.stages[at]) {
                state.pending.insert(at, key);
                continue;
            }
            state.take_room(&self.stages[at]);
            handed += 1;
            // The service takes them until the sender is closed.
            let _ = tasks.send(self.task(at, key));
        }
        handed
    }
}

/// The run as those see it who execute some of its stages.
pub(super) struct Desk<'a> {
    pub(super) run: &'a Runner<'a>,
    pub(super) stopping: &'a AtomicBool,
    pub(super) finished: Sender<Happened>,
}

impl Client for Desk<'_> {
    fn queued(&self, task: &Task) {
        self.run.announcer.announce(Event::StageQueued {
            stage: task.name.clone(),
            action: task.key,
        });
    }

    fn started(&self, task: &Task) {
        self.run.announcer.announce(Event::StageStarted {
            stage: task.name.clone(),
            action: task.key,
        });
    }

    fn ended(&self, task: &Task, ended: Result<Completed, Failure>) {
        // The receiver lives until every task has been reported.
        let ended = Happened::Ended(task.stage, task.key, Box::new(ended));
        let _ = self.finished.send(ended);
    }

    fn remark(&self, message: String) {
        self.run.announcer.announce(Event::Remark { message });
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst) || self.run.cancel.is_requested()
    }
}
