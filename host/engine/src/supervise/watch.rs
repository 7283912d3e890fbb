//! Watches what a worker uses while it runs, and ends it with all of its processes when it
//! reaches a limit. What the worker says of itself plays no part.

use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use assay_core::{Limit, Limits};
use rustix::process::Pid;

use crate::cancel::Cancel;

/// How often the memory is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Watches `worker` until `ended` is closed; the limit that it reached, if any.
pub(super) fn watch(
    worker: Pid,
    limits: Limits,
    cancel: &Cancel,
    ended: &Receiver<()>,
) -> Option<Limit> {
    let started = Instant::now();
    loop {
        let reached = reached(worker, limits, started.elapsed());
        if reached.is_some() {
            cancel.kill(worker);
            return reached;
        }
        let left = limits
            .time()
            .map(|time| time.saturating_sub(started.elapsed()));
        let wait = match (limits.memory, left) {
            (None, Some(left)) => left,
            (_, left) => left.unwrap_or(INTERVAL).min(INTERVAL),
        };
        match ended.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

fn reached(worker: Pid, limits: Limits, elapsed: Duration) -> Option<Limit> {
    if let Some(milliseconds) = limits.time_ms
        && elapsed >= Duration::from_millis(milliseconds)
    {
        return Some(Limit::Time(milliseconds));
    }
    let most = limits.memory?;
    (memory(worker) > most).then_some(Limit::Memory(most))
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
