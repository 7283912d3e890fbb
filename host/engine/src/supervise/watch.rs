//! Watches what a worker uses while it runs, and ends it with all of its processes when it
//! reaches a limit. What the worker says of itself plays no part.

use std::fs;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use assay_core::{Limit, Limits};
use rustix::process::Pid;

use crate::cancel::{Cancel, Manner};

/// How often the memory is looked at.
const INTERVAL: Duration = Duration::from_millis(20);
/// The time in which actions that share a worker have to end once theirs is over: each keeps what it has done for a
/// longer limit.
const FAREWELL: Duration = Duration::from_secs(20);

/// A worker with limits.
pub(super) struct Watched<'a> {
    pub(super) worker: Pid,
    /// Those of each of its actions.
    pub(super) limits: Limits,
    /// The number of actions that it executes at once.
    pub(super) actions: usize,
    pub(super) cancel: &'a Cancel,
    /// Is set to the limit that it reaches, before it is ended.
    pub(super) reached: &'a OnceLock<Limit>,
}

impl Watched<'_> {
    /// Watches it until `over` is closed, and ends it at a limit.
    pub(super) fn watch(&self, over: &Receiver<()>) {
        let started = Instant::now();
        let mut asked = None::<Instant>;
        loop {
            if let Some(asked) = asked {
                if asked.elapsed() >= FAREWELL {
                    return self.cancel.stop(self.worker, Manner::AtOnce);
                }
            } else if let Some(limit) = self.limit(started.elapsed()) {
                // Nobody else sets it.
                let _ = self.reached.set(limit);
                if self.actions == 1 || matches!(limit, Limit::Memory(_)) {
                    return self.cancel.stop(self.worker, Manner::AtOnce);
                }
                self.cancel.stop(self.worker, Manner::Gently);
                asked = Some(Instant::now());
            }
            let left = self.limits.time();
            let left = left.map(|time| time.saturating_sub(started.elapsed()));
            let wait = match (self.limits.memory, left) {
                (None, Some(left)) if asked.is_none() => left,
                (_, left) => left.unwrap_or(INTERVAL).min(INTERVAL),
            };
            match over.recv_timeout(wait.max(Duration::from_millis(1))) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn limit(&self, elapsed: Duration) -> Option<Limit> {
        if let Some(milliseconds) = self.limits.time_ms
            && elapsed >= Duration::from_millis(milliseconds)
        {
            return Some(Limit::Time(milliseconds));
        }
        let most = self.limits.memory?;
        // Nobody can tell how much of it one of them holds.
        let all = most.saturating_mul(self.actions as u64);
        (memory(self.worker) > all).then_some(Limit::Memory(most))
    }
}

/// The bytes that the process holds and no file has: what it allocated and touched, also where
/// the system moved it out of memory. 0 once it has ended.
fn memory(process: Pid) -> u64 {
    let path = format!("/proc/{}/status", process.as_raw_nonzero());
    let status = fs::read_to_string(path).unwrap_or_default();
    let kilobytes = status.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let counts = ["RssAnon", "RssShmem", "VmSwap"].contains(&name);
        counts.then(|| value.split_whitespace().next()?.parse::<u64>().ok())?
    });
    kilobytes.sum::<u64>() * 1024
}

/// Messages of runtimes when memory cannot be allocated: Rust's, C++'s, libtorch's and C's.
const OUT_OF_MEMORY: [&str; 4] = [
    "memory allocation of",
    "bad_alloc",
    "can't allocate memory",
    "Cannot allocate memory",
];

/// Whether a worker's last words are about memory: an allocation that its limit refused comes to
/// no more than that.
pub(super) fn is_out_of_memory(words: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|sign| words.contains(sign))
}
