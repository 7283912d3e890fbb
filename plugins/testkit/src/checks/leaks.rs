//! `leaks`: a learner gives back the memory that it took.

use std::fs;

use crate::check::{Body, Check, Evidence, Problem, failed, skipped};
use crate::samples::Samples;
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "leaks",
    promise: "The memory of the process stays where it is while a thousand learners are created, \
              trained for an epoch, asked, saved, restored and dropped.",
    why: "A worker trains for days; what it loses in every step or epoch ends it in the end.",
    body: Body::Algorithm(run),
};

/// Cycles until allocators and libraries have what they keep.
const WARM_UP: usize = 200;
const CYCLES: usize = 1000;
/// Bytes that the process may grow by: half a kilobyte a cycle. Allocators were seen to move a tenth
/// of it by themselves, and the smallest learner of these networks holds several times as much.
const BOUND: u64 = 512 * CYCLES as u64;

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let samples = Samples::random(&network, 32, subject.seed);
    let batches = samples.batches(16);
    let cycles = |count: usize| -> Result<(), Problem> {
        for _ in 0..count {
            let mut learner = subject.learner(&network)?;
            learner.train(1, &batches)?;
            learner.predict(&samples)?;
            let state = learner.save()?;
            learner.restore(&state)?;
        }
        Ok(())
    };
    cycles(WARM_UP)?;
    let Some(before) = resident() else {
        return skipped("the system does not say how much memory a process holds");
    };
    cycles(CYCLES)?;
    let after = resident().unwrap_or(before);
    let grown = after.saturating_sub(before);
    let figures = format!("{CYCLES} learners left {} KiB behind", grown / 1024);
    if grown <= BOUND {
        return Ok(figures);
    }
    failed(format!("{figures}, {} bytes each", grown / CYCLES as u64))
}

/// Bytes of this process that are in memory.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
