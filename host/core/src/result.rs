//! The result of an action: which artifact it gave, and what is true of that one execution.

use serde::{Deserialize, Serialize};

use crate::hash::{ActionKey, ArtifactHash, ObjectHash};
use crate::limits::Limits;

/// One execution of an action. Nothing here but `artifact` may be read by a later stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionResult {
    /// The action that ran.
    pub action: ActionKey,
    /// What it gave.
    pub artifact: ArtifactHash,
    /// When it began, in milliseconds since 1970 (UTC).
    pub started_ms: u64,
    /// How long it ran, in milliseconds, all its interrupted parts together.
    pub duration_ms: u64,
    /// The most memory that its worker held, in bytes; 0 where it is not known.
    pub peak_memory: u64,
    /// The machine it ran on.
    pub host: String,
    /// The version of Assay that ran it.
    pub version: String,
    /// What its worker printed.
    pub log: Option<ObjectHash>,
    /// How far its worker was contained; absent from results of versions that did not contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containment: Option<Containment>,
    /// What its worker might use.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
}

/// How far the kernel contained a worker, and so whatever plugin it loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Containment {
    /// The version of Landlock's interface whose restrictions were enforced, files first of all;
    /// 0 where the kernel has none.
    pub landlock: u32,
    /// Whether system calls were filtered.
    pub seccomp: bool,
    /// Whether the worker gave up gaining privileges by executing a program.
    pub no_new_privileges: bool,
}
