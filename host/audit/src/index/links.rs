//! Which actions gave an artifact and which read it, made from an index when it is first asked for,
//! so that a walk from artifact to artifact looks things up and never searches.

use std::collections::BTreeMap;

use assay_core::{ActionKey, ArtifactHash};

use super::Index;

/// The actions on both sides of every artifact, in order.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) producers: BTreeMap<ArtifactHash, Vec<ActionKey>>,
    pub(super) readers: BTreeMap<ArtifactHash, Vec<(ActionKey, String)>>,
}

impl Links {
    pub(super) fn of(index: &Index) -> Self {
        let mut links = Self::default();
        for (&action, entry) in &index.actions {
            for (_, result) in &entry.results {
                let producers = links.producers.entry(result.artifact).or_default();
                if producers.last() != Some(&action) {
                    producers.push(action);
                }
            }
            let inputs = entry.document.iter().flat_map(|known| &known.inputs);
            for (role, &artifact) in inputs {
                let readers = links.readers.entry(artifact).or_default();
                readers.push((action, role.clone()));
            }
        }
        links
    }
}
