//! Decides what stays: everything that runs, pins, processes at work, working folders and young
//! results rest on in the graph of documents. The rest is garbage.

use std::collections::{BTreeSet, HashSet};

use assay_core::graph::{Closure, Node, ProducerRule};
use assay_core::{ActionKey, ObjectHash, RunHash, StageKind};

use super::records::Records;
use super::retention::{Retention, Runs};
use super::sweep::Sweep;
use super::{Amount, Garbage};
use crate::error::StoreError;
use crate::index::Index;
use crate::store::Store;

/// The garbage of a store, as it is or as it would be without the markers of some runs.
pub(super) fn garbage(
    store: &Store,
    retention: &Retention,
    without: &BTreeSet<RunHash>,
) -> Result<Garbage, StoreError> {
    let leases = store.leases()?;
    let pins = store.pins()?;
    let folders = store.scratch_folders()?;
    let named = leases.living.iter().filter_map(|node| match node {
        Node::Action(key) => Some(*key),
        Node::Run(_) | Node::Artifact(_) | Node::Object(_) => None,
    });
    let at_work = named.chain(folders.iter().map(|(key, _)| *key));
    let mut index = Index::read_with(store, at_work.collect::<HashSet<_>>())?;
    if let Some(error) = index.take_failure() {
        return Err(error);
    }
    let records = Records::read(store, &index)?;
    let runs = Runs::read(store, &index, retention, without)?;
    let mut sweep = Sweep::new(store, retention);

    let roots = runs.kept.iter().map(|(_, hash)| Node::Run(*hash));
    let roots = roots.chain(pins.into_values());
    let roots = roots.chain(leases.living);
    let unfinished = sweep.scratch(&index, folders)?;
    let roots = roots.chain(unfinished.into_iter().map(Node::Action));
    let mut kept = Closure::of(&index, ProducerRule::First, roots);
    describe(&index, &mut kept);
    let dropped: HashSet<_> = runs.dropped_actions().collect();
    let is_young = |key: ActionKey, ended_ms| {
        // What an unreadable run names is not known, so every result stays.
        !runs.unreadable.is_empty() || !dropped.contains(&key) && retention.is_young(ended_ms)
    };
    let mut young_results = Amount::default();
    let mut young = Vec::new();
    for (&key, records) in &records.by_action {
        if !kept.actions.contains(&key) && is_young(key, records.ended_ms) {
            let sizes = records.files.iter().map(|(_, bytes)| *bytes);
            sizes.for_each(|bytes| young_results.add(bytes));
            young.push(Node::Action(key));
        }
    }
    kept.extend(&index, young);
    describe(&index, &mut kept);

    sweep.runs(&runs);
    sweep.results(&index, &records, &kept);
    sweep.objects(&index, &runs, &kept)?;
    sweep.rest(leases.dead)?;
    let (items, kept) = sweep.finish();
    Ok(Garbage {
        items,
        kept,
        unreadable_runs: runs.unreadable,
        young_results,
    })
}

/// Keeps what plugins said of themselves whose libraries stay.
fn describe(index: &Index, kept: &mut Closure) {
    let stays = |key: ActionKey| {
        let document = index.document(key)?;
        let library = ObjectHash::from(document.plugin.as_ref()?.hash);
        let is_description = document.kind == StageKind::Describe;
        (is_description && kept.objects.contains(&library)).then_some(Node::Action(key))
    };
    let has_result = |key: &ActionKey| !index.results(*key).is_empty();
    let keys = index.actions().keys().copied().filter(has_result);
    let descriptions: Vec<_> = keys.filter_map(stays).collect();
    kept.extend(index, descriptions);
}
