//! Results of one action that should be the same and are not.

use std::collections::BTreeSet;

use assay_core::ActionKey;
use assay_store::Store;

/// Says so, if the store has results of the action that differ.
pub(crate) fn differing(store: &Store, key: ActionKey) -> Option<String> {
    // A store that cannot be read is somebody else's error.
    let results = store.results(key).unwrap_or_default();
    let artifacts: BTreeSet<_> = results.iter().map(|result| result.artifact).collect();
    if artifacts.len() < 2 {
        return None;
    }
    let hosts: BTreeSet<_> = results.iter().map(|result| result.host.as_str()).collect();
    let hosts = hosts.into_iter().collect::<Vec<_>>().join(", ");
    Some(format!(
        "the action {key} has {} results that differ (from {hosts}): `pipeline diff` compares their artifacts",
        artifacts.len()
    ))
}
