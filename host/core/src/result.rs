//! The result of an action: which artifact it gave, and what is true of that one execution.

use serde::{Deserialize, Serialize};

use crate::hash::{ActionKey, ArtifactHash, ObjectHash};

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
}
