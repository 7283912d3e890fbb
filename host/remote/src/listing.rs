//! The list of the documents and records of a run, beside its marker. It is a hint where to look: what it
//! names is believed only when the documents agree.

use std::collections::{BTreeMap, BTreeSet};

use assay_core::{ActionKey, ObjectHash, RunHash};
use serde::{Deserialize, Serialize};

/// Documents and records of a run.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listing {
    /// The run's manifest, its actions, and the manifests of its artifacts.
    pub(crate) documents: BTreeSet<ObjectHash>,
    /// The records of each action.
    pub(crate) records: BTreeMap<ActionKey, BTreeSet<ObjectHash>>,
}

impl Listing {
    /// Its name at the remote.
    pub(crate) fn name(run: RunHash) -> String {
        format!("contents/{run}.json")
    }

    /// The number of files that it names.
    pub(crate) fn files(&self) -> u64 {
        let records = self.records.values().map(BTreeSet::len).sum::<usize>();
        (self.documents.len() + records) as u64
    }
}
