//! The misbehaviours by the name of their algorithm.

use crate::{attempts, calls};

/// The misbehaviour of an algorithm.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    /// Nothing.
    None,
    /// Tries something in its first epoch; the attempt's own error says that it was refused.
    Attempt(fn(&str) -> Result<(), String>),
    /// Leaves some logits as they were.
    ForgetLogits,
    /// Writes behind the last logit.
    OverrunLogits,
    /// Gives logits that are not numbers.
    NanLogits,
    /// Reports a metric that is not a number.
    NanMetric,
    /// Saves a state that is no safetensors.
    OddState,
    /// Saves a state larger than any network needs.
    HugeState,
    /// Ends an epoch before its batches.
    Hurry,
    /// Learns the time of day from its second epoch on, and so never the same twice.
    ReadClock,
}

/// Every algorithm.
pub(crate) const DEEDS: &[(&str, Deed)] = &[
    ("honest", Deed::None),
    ("panic", Deed::Attempt(attempts::panic)),
    ("abort", Deed::Attempt(attempts::abort)),
    ("exit", Deed::Attempt(attempts::exit)),
    ("segfault", Deed::Attempt(attempts::segfault)),
    ("loop", Deed::Attempt(attempts::run_for_ever)),
    ("detach", Deed::Attempt(attempts::detach)),
    ("allocate", Deed::Attempt(attempts::allocate)),
    ("fork", Deed::Attempt(attempts::fork)),
    ("execute", Deed::Attempt(attempts::execute)),
    ("write", Deed::Attempt(attempts::write)),
    ("truncate", Deed::Attempt(attempts::truncate)),
    ("change-mode", Deed::Attempt(attempts::change_mode)),
    ("read", Deed::Attempt(attempts::read)),
    ("redirect", Deed::Attempt(attempts::redirect)),
    ("tcp", Deed::Attempt(attempts::tcp)),
    ("udp", Deed::Attempt(attempts::udp)),
    ("unix", Deed::Attempt(attempts::unix)),
    ("kill-parent", Deed::Attempt(attempts::kill_parent)),
    ("trace-parent", Deed::Attempt(attempts::trace_parent)),
    ("raise-limit", Deed::Attempt(attempts::raise_limit)),
    ("change-group", Deed::Attempt(attempts::change_group)),
    ("unlock", Deed::Attempt(attempts::unlock)),
    ("old-calls", Deed::Attempt(attempts::old_calls)),
    ("system-v", Deed::Attempt(calls::system_v)),
    ("schedule", Deed::Attempt(calls::schedule)),
    ("needless", Deed::Attempt(calls::needless)),
    ("sockets", Deed::Attempt(calls::sockets)),
    ("commands", Deed::Attempt(calls::commands)),
    ("environment", Deed::Attempt(attempts::environment)),
    ("threads", Deed::Attempt(attempts::threads)),
    ("junk", Deed::Attempt(attempts::junk)),
    ("escape-codes", Deed::Attempt(attempts::escape_codes)),
    ("forget-logits", Deed::ForgetLogits),
    ("overrun-logits", Deed::OverrunLogits),
    ("nan-logits", Deed::NanLogits),
    ("nan-metric", Deed::NanMetric),
    ("odd-state", Deed::OddState),
    ("huge-state", Deed::HugeState),
    ("hurry", Deed::Hurry),
    ("read-clock", Deed::ReadClock),
];
