//! The things of each kind with their sizes, what is newest or largest first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use assay_audit::Index;
use assay_core::{ActionKey, ArtifactHash, ObjectHash, PluginHash, RunHash, StageKind};
use assay_store::{Store, StoreError};

use crate::commands::ls::{ListedDataset, ListedPlugin};

/// The bytes of the files of artifacts, each file once.
fn bytes(index: &Index, artifacts: impl Iterator<Item = ArtifactHash>) -> u64 {
    let artifacts: BTreeSet<_> = artifacts.collect();
    let manifests = artifacts.iter().filter_map(|it| index.artifacts().get(it));
    let mut seen = BTreeSet::new();
    let files = manifests.flat_map(|manifest| manifest.files.values());
    let files = files.filter(|file| seen.insert(file.object));
    files.fold(0, |sum, file| sum.saturating_add(file.size))
}

/// Puts what is largest first, if asked to; the order of the rest stays.
fn sorted<T>(mut rows: Vec<T>, by_size: bool, size: impl Fn(&T) -> u64) -> Vec<T> {
    if by_size {
        rows.sort_by_key(|row| Reverse(size(row)));
    }
    rows
}

pub(crate) fn runs(index: &Index, pipeline: Option<&str>, by_size: bool) -> Vec<(RunHash, u64)> {
    let runs = index.runs().iter();
    let chosen = runs.filter(|(_, entry)| pipeline.is_none_or(|name| entry.run.pipeline == name));
    let mut newest: Vec<_> = chosen.collect();
    newest.sort_by_key(|(run, entry)| Reverse((entry.started_ms, **run)));
    let rows = newest.into_iter().map(|(run, entry)| {
        let gave = entry.run.stages.iter().filter_map(|stage| stage.artifact);
        (*run, bytes(index, gave))
    });
    sorted(rows.collect(), by_size, |row| row.1)
}

/// When an execution of the action last began.
fn last(index: &Index, action: ActionKey) -> Option<u64> {
    let results = &index.actions().get(&action)?.results;
    results.last().map(|(_, result)| result.started_ms)
}

/// All actions, the newest first.
fn newest(index: &Index) -> Vec<ActionKey> {
    let mut actions: Vec<_> = index.actions().keys().copied().collect();
    actions.sort_by_key(|action| Reverse(last(index, *action)));
    actions
}

fn given(index: &Index, action: ActionKey) -> impl Iterator<Item = ArtifactHash> {
    let results = index.actions().get(&action).map(|entry| &entry.results);
    let results = results.into_iter().flatten();
    results.map(|(_, result)| result.artifact)
}

pub(crate) fn actions(index: &Index, by_size: bool) -> Vec<(ActionKey, u64)> {
    let actions = newest(index).into_iter();
    let rows = actions.map(|action| (action, bytes(index, given(index, action))));
    sorted(rows.collect(), by_size, |row| row.1)
}

pub(crate) fn artifacts(index: &Index, by_size: bool) -> Vec<(ArtifactHash, u64)> {
    let mut seen = BTreeSet::new();
    let made = newest(index).into_iter().flat_map(|it| given(index, it));
    // Artifacts that no action here made count as the oldest.
    let all = made.chain(index.artifacts().keys().copied());
    let all: Vec<_> = all.filter(|artifact| seen.insert(*artifact)).collect();
    let rows = all
        .into_iter()
        .map(|it| (it, bytes(index, std::iter::once(it))));
    sorted(rows.collect(), by_size, |row| row.1)
}

pub(crate) fn datasets(store: &Store, index: &Index, by_size: bool) -> Vec<ListedDataset> {
    let is_dataset = |action: &ActionKey| {
        let entry = index.actions().get(action);
        let document = entry.and_then(|entry| entry.document.as_ref());
        document.is_some_and(|document| document.kind == StageKind::Dataset)
    };
    let actions = newest(index).into_iter().filter(is_dataset);
    let rows = actions.map(|action| {
        let document = store.action(action).ok();
        ListedDataset {
            action,
            source: document.and_then(|document| document.parameters.get("source").cloned()),
            artifact: given(index, action).next(),
            size: bytes(index, given(index, action)),
        }
    });
    sorted(rows.collect(), by_size, |row| row.size)
}

pub(crate) fn plugins(
    store: &Store,
    index: &Index,
    by_size: bool,
) -> Result<Vec<ListedPlugin>, StoreError> {
    let mut plugins: BTreeMap<(PluginHash, String), ListedPlugin> = BTreeMap::new();
    for (action, entry) in index.actions() {
        let document = entry.document.as_ref();
        let Some(pin) = document.and_then(|document| document.plugin.as_ref()) else {
            continue;
        };
        let last_ms = last(index, *action);
        if let Some(known) = plugins.get_mut(&(pin.hash, pin.name.clone())) {
            known.actions += 1;
            known.last_ms = known.last_ms.max(last_ms);
            continue;
        }
        let listed = ListedPlugin {
            pin: pin.clone(),
            size: store.size(pin.hash.into())?,
            actions: 1,
            last_ms,
        };
        plugins.insert((pin.hash, pin.name.clone()), listed);
    }
    let mut rows: Vec<_> = plugins.into_values().collect();
    rows.sort_by_key(|row| Reverse(row.last_ms));
    Ok(sorted(rows, by_size, |row| row.size.unwrap_or(0)))
}

pub(crate) fn objects(store: &Store, by_size: bool) -> Result<Vec<(ObjectHash, u64)>, StoreError> {
    let mut rows = Vec::new();
    for folder in store.object_folders()? {
        rows.extend(store.object_sizes(&folder.prefix)?);
    }
    rows.sort_unstable();
    Ok(sorted(rows, by_size, |row| row.1))
}
