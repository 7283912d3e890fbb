//! Stopping: one flag for the whole run, and the workers that must hear of it.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Asks a run to stop. Workers get SIGTERM, finish the step they are in and leave their last
/// checkpoint; asked a second time, they are killed.
#[derive(Debug, Default)]
pub struct Cancel {
    requested: AtomicBool,
    workers: Mutex<HashSet<Pid>>,
}

impl Cancel {
    /// Asks the run to stop.
    pub fn request(&self) {
        let again = self.requested.swap(true, Ordering::SeqCst);
        let signal = if again { Signal::KILL } else { Signal::TERM };
        for &worker in self.workers().iter() {
            // A worker that is already gone needs no signal.
            let _ = kill_process(worker, signal);
        }
    }

    /// Whether the run was asked to stop.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Notes a worker that was just started.
    pub(crate) fn watch(&self, worker: Pid) {
        let mut workers = self.workers();
        workers.insert(worker);
        // The request may have come between the start and this note.
        if self.is_requested() {
            let _ = kill_process(worker, Signal::TERM);
        }
    }

    /// Ends a worker and every process that it started. One that has ended already is left in
    /// peace: its number may belong to another process by now.
    pub(crate) fn kill(&self, worker: Pid) {
        if self.workers().contains(&worker) {
            // A group that is already gone needs no signal.
            let _ = kill_process_group(worker, Signal::KILL);
        }
    }

    /// Reaps a worker with `try_wait` if it has ended, and forgets it: no signal may reach a
    /// number that the system has given away again.
    pub(crate) fn reap_if_ended<T>(
        &self,
        worker: Pid,
        try_wait: impl FnOnce() -> io::Result<Option<T>>,
    ) -> io::Result<Option<T>> {
        let mut workers = self.workers();
        let ended = try_wait()?;
        if ended.is_some() {
            workers.remove(&worker);
        }
        Ok(ended)
    }

    fn workers(&self) -> MutexGuard<'_, HashSet<Pid>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
