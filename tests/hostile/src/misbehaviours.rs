//! The misbehaviours by the name of their algorithm.

use crate::{attempts, calls};

/// The misbehaviour of an algorithm.
#[derive(Clone, Copy)]
pub(crate) enum Misbehaviour {
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
pub(crate) const MISBEHAVIOURS: &[(&str, Misbehaviour)] = &[
    ("honest", Misbehaviour::None),
    ("panic", Misbehaviour::Attempt(attempts::panic)),
    ("abort", Misbehaviour::Attempt(attempts::abort)),
    ("exit", Misbehaviour::Attempt(attempts::exit)),
    ("segfault", Misbehaviour::Attempt(attempts::segfault)),
    ("loop", Misbehaviour::Attempt(attempts::run_for_ever)),
    ("detach", Misbehaviour::Attempt(attempts::detach)),
    ("allocate", Misbehaviour::Attempt(attempts::allocate)),
    ("fork", Misbehaviour::Attempt(attempts::fork)),
    ("execute", Misbehaviour::Attempt(attempts::execute)),
    ("write", Misbehaviour::Attempt(attempts::write)),
    ("truncate", Misbehaviour::Attempt(attempts::truncate)),
    ("change-mode", Misbehaviour::Attempt(attempts::change_mode)),
    ("read", Misbehaviour::Attempt(attempts::read)),
    ("redirect", Misbehaviour::Attempt(attempts::redirect)),
    ("tcp", Misbehaviour::Attempt(attempts::tcp)),
    ("udp", Misbehaviour::Attempt(attempts::udp)),
    ("unix", Misbehaviour::Attempt(attempts::unix)),
    ("kill-parent", Misbehaviour::Attempt(attempts::kill_parent)),
    (
        "trace-parent",
        Misbehaviour::Attempt(attempts::trace_parent),
    ),
    ("raise-limit", Misbehaviour::Attempt(attempts::raise_limit)),
    (
        "change-group",
        Misbehaviour::Attempt(attempts::change_group),
    ),
    ("unlock", Misbehaviour::Attempt(attempts::unlock)),
    ("old-calls", Misbehaviour::Attempt(attempts::old_calls)),
    ("system-v", Misbehaviour::Attempt(calls::system_v)),
    ("schedule", Misbehaviour::Attempt(calls::schedule)),
    ("needless", Misbehaviour::Attempt(calls::needless)),
    ("sockets", Misbehaviour::Attempt(calls::sockets)),
    ("commands", Misbehaviour::Attempt(calls::commands)),
    ("environment", Misbehaviour::Attempt(attempts::environment)),
    ("threads", Misbehaviour::Attempt(attempts::threads)),
    ("junk", Misbehaviour::Attempt(attempts::junk)),
    (
        "escape-codes",
        Misbehaviour::Attempt(attempts::escape_codes),
    ),
    ("forget-logits", Misbehaviour::ForgetLogits),
    ("overrun-logits", Misbehaviour::OverrunLogits),
    ("nan-logits", Misbehaviour::NanLogits),
    ("nan-metric", Misbehaviour::NanMetric),
    ("odd-state", Misbehaviour::OddState),
    ("huge-state", Misbehaviour::HugeState),
    ("hurry", Misbehaviour::Hurry),
    ("read-clock", Misbehaviour::ReadClock),
];
