//! The part of a machine that one execution of a stage asks for, as a pipeline file says it. A queue of a cluster
//! places work by it. Resources decide no bytes, so they are never part of an action.

use serde::{Deserialize, Serialize};

/// The resources of one execution; an absent field leaves the choice to whoever executes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Memory in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
    /// Milliseconds from its start to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
}

impl Resources {
    /// These resources; where one is not set, that of `fallback`.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        Self {
            cpus: self.cpus.or(fallback.cpus),
            memory: self.memory.or(fallback.memory),
            gpus: self.gpus.or(fallback.gpus),
            time_ms: self.time_ms.or(fallback.time_ms),
        }
    }
}
