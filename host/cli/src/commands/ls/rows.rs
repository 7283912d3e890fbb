//! The things of each kind with their sizes, what is newest or largest first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use assay_audit::Index;
use assay_core::{ActionKey, ArtifactHash, ObjectHash, Outcomes, PluginHash, RunHash, StageKind};
use assay_store::{Store, StoreError};
use serde::Serialize;
use serde_json::Value;

use crate::ui::action::ending;

#[derive(Serialize)]
pub(super) struct ListedRun<'a> {
    pub(super) run: RunHash,
    pub(super) pinned_as: Vec<&'a str>,
    pub(super) pipeline: &'a str,
    pub(super) started_ms: u64,
    pub(super) duration_ms: u64,
    pub(super) outcome: &'static str,
    #[serde(flatten)]
    pub(super) stages: Outcomes,
    pub(super) size: u64,
}

impl<'a> ListedRun<'a> {
    /// The run; nothing if the index has it not.
    pub(super) fn of(index: &'a Index, run: RunHash) -> Option<Self> {
        let head = index.run_heads().get(&run)?;
        Some(Self {
            run,
            pinned_as: index.labels(run.into()).collect(),
            pipeline: &head.pipeline,
            started_ms: head.started_ms,
            duration_ms: head.duration_ms,
            outcome: ending(&head.outcomes),
            stages: head.outcomes,
            size: index.run_size(run),
        })
    }
}

/// An action as a table shows it, as far as it is known.
pub(super) struct ActionView<'a> {
    /// When an execution of it last began, in milliseconds since 1970.
    pub(super) began_ms: Option<u64>,
    pub(super) kind: Option<&'static str>,
    /// Its last stage in a run.
    pub(super) stage: Option<String>,
    pub(super) plugin: Option<&'a str>,
}

impl<'a> ActionView<'a> {
    fn of(index: &'a Index, action: ActionKey) -> Self {
        let entry = index.actions().get(&action);
        let document = entry.and_then(|entry| entry.document.as_ref());
        let plugin = document.and_then(|document| document.plugin.as_ref());
        Self {
            began_ms: last(index, action),
            kind: document.map(|document| document.kind.name()),
            stage: index.stages(action).last().map(|at| at.stage.clone()),
            plugin: plugin.map(|pin| pin.name.as_str()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ListedAction<'a> {
    pub(super) action: ActionKey,
    kind: &'static str,
    pub(super) results: Option<usize>,
    pub(super) size: u64,
    #[serde(skip)]
    pub(super) shown: ActionView<'a>,
}

impl<'a> ListedAction<'a> {
    pub(super) fn of(index: &'a Index, action: ActionKey) -> Self {
        let shown = ActionView::of(index, action);
        Self {
            action,
            kind: shown.kind.unwrap_or("—"),
            results: index
                .actions()
                .get(&action)
                .map(|entry| entry.results.len()),
            size: index.size(given(index, action)),
            shown,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ListedArtifact<'a> {
    pub(super) artifact: ArtifactHash,
    made_by: Vec<ActionKey>,
    pub(super) size: u64,
    /// The last action that made it.
    #[serde(skip)]
    pub(super) maker: Option<ActionView<'a>>,
    #[serde(skip)]
    pub(super) files: Option<usize>,
}

impl<'a> ListedArtifact<'a> {
    pub(super) fn of(index: &'a Index, artifact: ArtifactHash) -> Self {
        let made_by: Vec<_> = index.producers(artifact).collect();
        Self {
            artifact,
            size: index.size(iter::once(artifact)),
            maker: made_by.last().map(|maker| ActionView::of(index, *maker)),
            files: index.artifacts().get(&artifact).map(|it| it.files.len()),
            made_by,
        }
    }
}

/// A dataset that was prepared.
#[derive(Serialize)]
pub(super) struct ListedDataset {
    pub(super) action: ActionKey,
    /// Its source, as the action has it.
    pub(super) source: Option<Value>,
    pub(super) artifact: Option<ArtifactHash>,
    pub(super) size: u64,
}

/// A plugin's library.
#[derive(Serialize)]
pub(super) struct ListedPlugin {
    pub(super) name: String,
    pub(super) hash: PluginHash,
    pub(super) abi: String,
    /// The actions that use it.
    pub(super) actions: usize,
    /// When one of them last began, in milliseconds since 1970.
    pub(super) last_used_ms: Option<u64>,
    /// The library's size; none where it is not in the store.
    pub(super) size: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct ListedObject {
    pub(super) object: ObjectHash,
    pub(super) size: u64,
}

/// Puts what is largest first, if asked to; the order of the rest stays.
fn sorted<T>(mut rows: Vec<T>, by_size: bool, size: impl Fn(&T) -> u64) -> Vec<T> {
    if by_size {
        rows.sort_by_cached_key(|row| Reverse(size(row)));
    }
    rows
}

pub(super) fn runs(index: &Index, pipeline: Option<&str>, by_size: bool) -> Vec<RunHash> {
    let runs = index.run_heads().iter();
    let chosen = runs.filter(|(_, head)| pipeline.is_none_or(|name| head.pipeline == name));
    let mut newest: Vec<_> = chosen.collect();
    newest.sort_by_key(|(run, head)| Reverse((head.started_ms, **run)));
    let newest = newest.into_iter().map(|(run, _)| *run);
    sorted(newest.collect(), by_size, |run| index.run_size(*run))
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

pub(super) fn actions(index: &Index, by_size: bool) -> Vec<ActionKey> {
    let size = |action: &ActionKey| index.size(given(index, *action));
    sorted(newest(index), by_size, size)
}

pub(super) fn artifacts(index: &Index, by_size: bool) -> Vec<ArtifactHash> {
    let mut seen = BTreeSet::new();
    let made = newest(index).into_iter().flat_map(|it| given(index, it));
    // Artifacts that no action here made count as the oldest.
    let all = made.chain(index.artifacts().keys().copied());
    let all = all.filter(|artifact| seen.insert(*artifact));
    let size = |artifact: &ArtifactHash| index.size(iter::once(*artifact));
    sorted(all.collect(), by_size, size)
}

pub(super) fn datasets(store: &Store, index: &Index, by_size: bool) -> Vec<ListedDataset> {
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
            size: index.size(given(index, action)),
        }
    });
    sorted(rows.collect(), by_size, |row| row.size)
}

pub(super) fn plugins(
    store: &Store,
    index: &Index,
    by_size: bool,
) -> Result<Vec<ListedPlugin>, StoreError> {
    let mut plugins: BTreeMap<(PluginHash, String), ListedPlugin> = BTreeMap::new();
    for (action, entry) in index.actions().iter() {
        let document = entry.document.as_ref();
        let Some(pin) = document.and_then(|document| document.plugin.as_ref()) else {
            continue;
        };
        let last_used_ms = last(index, *action);
        if let Some(known) = plugins.get_mut(&(pin.hash, pin.name.clone())) {
            known.actions += 1;
            known.last_used_ms = known.last_used_ms.max(last_used_ms);
            continue;
        }
        let listed = ListedPlugin {
            name: pin.name.clone(),
            hash: pin.hash,
            abi: pin.abi.clone(),
            actions: 1,
            last_used_ms,
            size: store.size(pin.hash.into())?,
        };
        plugins.insert((pin.hash, pin.name.clone()), listed);
    }
    let mut rows: Vec<_> = plugins.into_values().collect();
    rows.sort_by_key(|row| Reverse(row.last_used_ms));
    Ok(sorted(rows, by_size, |row| row.size.unwrap_or(0)))
}

pub(super) fn objects(store: &Store, by_size: bool) -> Result<Vec<ListedObject>, StoreError> {
    let mut objects = Vec::new();
    for folder in store.object_folders()? {
        objects.extend(store.object_sizes(&folder.prefix)?);
    }
    objects.sort_unstable();
    let rows = objects.into_iter();
    let rows = rows.map(|(object, size)| ListedObject { object, size });
    Ok(sorted(rows.collect(), by_size, |row| row.size))
}
