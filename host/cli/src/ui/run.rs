//! A run as the verbs list it.

use assay_core::RunHash;
use serde::Serialize;

/// A run in a document for scripts.
#[derive(Serialize)]
pub(crate) struct ListedRun<'a> {
    pub(crate) run: RunHash,
    pub(crate) pipeline: &'a str,
    /// In milliseconds since 1970 (UTC).
    pub(crate) started_ms: u64,
}
