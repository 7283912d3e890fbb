//! Stopping: one flag for the whole run, and the workers that must hear of it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::error::EngineError;

/// Asks a run to stop. Workers that keep what they have done get SIGTERM, finish the step they are
/// in and leave their last checkpoint; asked a second time, they are killed. Others are killed at
/// once.
#[derive(Debug, Default)]
pub struct Cancel {
    requested: AtomicBool,
    workers: Mutex<HashMap<Pid, Manner>>,
    work: AtomicUsize,
}

/// How a worker is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It ends its step and keeps what it has done.
    Gently,
    /// It has nothing to keep.
    AtOnce,
}

/// Work that a request to stop waits for, as long as this lives.
#[derive(Debug)]
pub struct Work<'a>(&'a Cancel);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.work.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Cancel {
    /// Asks the run to stop.
    pub fn request(&self) {
        let again = self.requested.swap(true, Ordering::SeqCst);
        for (&worker, &manner) in self.workers().iter() {
            stop(worker, if again { Manner::AtOnce } else { manner });
        }
    }

    /// Whether something is done that is worth waiting for after a request to stop: a worker ends
    /// its step, or a result or a run is being stored. All else can be broken off at any moment.
    pub fn is_working(&self) -> bool {
        self.work.load(Ordering::SeqCst) > 0
    }

    /// Begins work that a request to stop waits for.
    pub fn begin_work(&self) -> Work<'_> {
        self.work.fetch_add(1, Ordering::SeqCst);
        Work(self)
    }

    /// Fails if the run was asked to stop.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        if self.is_requested() {
            Err(EngineError::Stopped)
        } else {
            Ok(())
        }
    }

    /// Whether the run was asked to stop.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Notes a worker that was just started.
    pub(crate) fn watch(&self, worker: Pid, manner: Manner) {
        let mut workers = self.workers();
        workers.insert(worker, manner);
        // The request may have come between the start and this note.
        if self.is_requested() {
            stop(worker, manner);
        }
    }

    /// Asks a worker to end its step, or ends it and every process that it started. One that has ended already is
    /// left in peace: its number may belong to another process by now.
    pub(crate) fn stop(&self, worker: Pid, manner: Manner) {
        if self.workers().contains_key(&worker) {
            stop(worker, manner);
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

    fn workers(&self) -> MutexGuard<'_, HashMap<Pid, Manner>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a worker to stop, or ends it with every process that it started.
fn stop(worker: Pid, manner: Manner) {
    // A worker that is already gone needs no signal.
    let _ = match manner {
        Manner::Gently => kill_process(worker, Signal::TERM),
        Manner::AtOnce => kill_process_group(worker, Signal::KILL),
    };
}
