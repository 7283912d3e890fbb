//! Privileges that a process gives up on its own, and the limits it sets on its resources.

use assay_core::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::sysinfo;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, no_new_privs, set_capabilities, set_no_new_privs,
};

use super::{ContainError, Profile};

/// More files than a dataset has shards, and fewer than would hurt other processes.
const MOST_FILES: u64 = 4096;
/// Larger than any state or table that a stage writes; the log is such a file too.
const LARGEST_FILE: u64 = 64 << 30;

/// Bytes that a worker may allocate beyond its limit, beside an eighth of it.
const MARGIN: u64 = 64 << 20;

/// Capabilities that a worker of root keeps: reading and writing files as their owner could, since
/// a store may belong to another user. Landlock decides which files it can then reach.
const KEPT: CapabilitySet = CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::DAC_READ_SEARCH);

/// Sets resource limits, which can only be lowered again.
pub(super) fn limit(profile: Profile, cuda: bool, limits: Limits) -> Result<(), ContainError> {
    // A core dump would hold the data of the user, and could be of any size.
    lower(Resource::Core, 0)?;
    lower(Resource::Nofile, MOST_FILES)?;
    if profile == Profile::Sealed {
        lower(Resource::Fsize, LARGEST_FILE)?;
    }
    // CUDA reserves address space beyond all memory; there the supervisor alone watches.
    if !cuda && let Some(memory) = allowance(profile, limits) {
        lower(Resource::Data, memory)?;
    }
    Ok(())
}

/// The supervisor ends a worker that holds more than its limit. Allocations fail only above that,
/// so that what fails is not mistaken for a fault of another kind. Where nothing is said, a plugin
/// may not allocate more than the machine has: it would fail anyway, and by then other processes
/// would have failed too.
fn allowance(profile: Profile, limits: Limits) -> Option<u64> {
    let machine = sysinfo();
    let physical = u64::from(machine.mem_unit) * machine.totalram as u64;
    let sealed = profile == Profile::Sealed;
    let limited = limits.memory.map(|memory| memory + memory / 8 + MARGIN);
    limited.or(sealed.then_some(physical))
}

fn lower(resource: Resource, most: u64) -> Result<(), ContainError> {
    let maximum = getrlimit(resource)
        .maximum
        .map_or(most, |old| old.min(most));
    let limit = Rlimit {
        current: Some(maximum),
        maximum: Some(maximum),
    };
    setrlimit(resource, limit).map_err(failed("limit the worker's resources"))
}

/// Gives up every capability but [`KEPT`], and gaining any.
pub(super) fn give_up() -> Result<(), ContainError> {
    set_no_new_privs(true).map_err(failed("give up new privileges"))?;
    let held = capabilities(None).map_err(failed("read the worker's capabilities"))?;
    let kept = CapabilitySets {
        effective: held.effective & KEPT,
        permitted: held.permitted & KEPT,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, kept).map_err(failed("give up capabilities"))
}

pub(super) fn has_given_up() -> bool {
    no_new_privs().unwrap_or(false)
}

fn failed(what: &'static str) -> impl Fn(rustix::io::Errno) -> ContainError {
    move |source| ContainError::Powers {
        what,
        source: source.into(),
    }
}
