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
    /// The artifact that it gave.
    pub artifact: ArtifactHash,
    /// When it began, in milliseconds since 1970 (UTC).
    pub started_ms: u64,
    /// How long it ran, in milliseconds, all its interrupted parts together.
    pub duration_ms: u64,
    /// The most memory that its worker held, in bytes; 0 where it is not known.
    pub peak_memory: u64,
    /// The threads that its worker might compute with; of an action with a numerical environment alone,
    /// and absent from results of versions that did not take it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// The card that its worker computed on, by the name that the driver gives it; absent where it computed on a
    /// processor, and from results of versions that did not take it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// How many actions its worker executed at once, this one among them; absent where it was the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// The machine it ran on.
    pub host: String,
    /// The version of Assay that ran it.
    pub version: String,
    /// The output that its worker printed.
    pub log: Option<ObjectHash>,
    /// How far its worker was contained; absent from results of versions that did not contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containment: Option<Containment>,
    /// The limits on its worker.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// The artifact of the same training with fewer epochs that it went on from, whose duration is in
    /// its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_from: Option<ArtifactHash>,
    /// The time of the training pass of each epoch, in milliseconds, without the measurements after
    /// it; of a training alone, and absent from results of versions that did not take it down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epoch_ms: Vec<u64>,
    /// The multiply-adds for each sample in a training's last finished epoch; absent where its plugin
    /// does not count them, and from results of versions that did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiply_adds: Option<u64>,
}

/// The record of one execution: its name, which is the hash of its bytes, and what it says.
pub type Record = (ObjectHash, ActionResult);

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::canonical_json;

    #[test]
    fn a_record_from_before_containment_is_read_and_written_as_it_was() {
        let hash = "ab".repeat(32);
        let record = format!(
            r#"{{"action":"{hash}","artifact":"{hash}","duration_ms":7,"host":"here","log":null,"peak_memory":1,"started_ms":2,"version":"0.1.0"}}"#
        );
        let result: ActionResult = serde_json::from_str(&record).unwrap();
        assert_eq!(result.containment, None);
        assert!(result.limits.is_empty());
        assert_eq!(canonical_json(&result).unwrap(), record.into_bytes());
    }
}
