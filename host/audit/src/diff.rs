//! Differences between two runs of a store: in what was asked for, stage by stage, and in the
//! metrics that resulted. It reads documents and tables of metrics, and executes nothing.

use std::collections::{BTreeMap, BTreeSet};

use assay_core::{
    Action, ActionKey, ArtifactHash, Difference, Fields, Run, RunHash, RunStage, StageKind,
};
use assay_store::{Store, StoreError};
use serde::Serialize;

use crate::compare::{FileDifference, compare_artifacts};
use crate::metrics::{Metric, differing_metrics};

/// Differences between two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunDifference {
    /// Differences in the request as a whole: the pipeline, its file, the file of networks, the
    /// overrides.
    pub fields: Vec<Difference>,
    /// Every stage that differs: those of the first run in its order, then those that only the
    /// second has.
    pub stages: Vec<StageDifference>,
    /// How many stages have the same action and the same artifact.
    pub same: usize,
}

/// A stage that differs, or is in one run only.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageDifference {
    /// Its name in each run.
    pub names: [Option<String>; 2],
    /// Kind of the stage, where a run knows its action.
    pub kind: Option<StageKind>,
    /// Its action in each run, where it was known.
    pub actions: [Option<ActionKey>; 2],
    /// Artifact that it produced in each run.
    pub artifacts: [Option<ArtifactHash>; 2],
    /// Differences between the actions: parameters, plugin, environment, inputs.
    pub fields: Vec<Difference>,
    /// The metrics that differ, of stages that measure or report.
    pub metrics: Vec<Metric>,
    /// Where the artifacts differ although the action is the same.
    pub files: Vec<FileDifference>,
}

impl RunDifference {
    /// Compares two runs of the store.
    ///
    /// # Errors
    /// A run's manifest, an action or a table of metrics cannot be read.
    pub fn between(store: &Store, before: RunHash, now: RunHash) -> Result<Self, StoreError> {
        let (before, now) = (store.run(before)?, store.run(now)?);
        let kinds = Kinds::read(store, [&before, &now])?;
        let mut difference = Self {
            fields: asked_for(&before).differences(&asked_for(&now)),
            stages: Vec::new(),
            same: 0,
        };
        for pair in pairs(&before.stages, &now.stages, &kinds) {
            let [left, right] = pair;
            let same = left.zip(right).is_some_and(|(left, right)| {
                left.action == right.action && left.artifact == right.artifact
            });
            if same {
                difference.same += 1;
            } else {
                difference.stages.push(stage(store, pair, &kinds)?);
            }
        }
        Ok(difference)
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.stages.is_empty()
    }
}

/// Request of a run as a whole: the pipeline, its file, the file of networks, the overrides.
fn asked_for(run: &Run) -> Fields {
    let Run {
        pipeline,
        file,
        networks,
        overrides,
        ..
    } = run;
    let asked_for = BTreeMap::from([
        ("pipeline", serde_json::json!(pipeline)),
        ("file", serde_json::json!(file)),
        ("networks", serde_json::json!(networks)),
        ("overrides", serde_json::json!(overrides)),
    ]);
    Fields::of(&asked_for).unwrap_or_default()
}

/// The actions of two runs.
struct Kinds(BTreeMap<ActionKey, Action>);

impl Kinds {
    fn read(store: &Store, runs: [&Run; 2]) -> Result<Self, StoreError> {
        let stages = runs.into_iter().flat_map(|run| &run.stages);
        let keys: BTreeSet<_> = stages.filter_map(|stage| stage.action).collect();
        let actions = keys.into_iter().map(|key| Ok((key, store.action(key)?)));
        actions.collect::<Result<_, StoreError>>().map(Self)
    }

    fn action(&self, stage: &RunStage) -> Option<&Action> {
        self.0.get(&stage.action?)
    }

    /// Kind of the stage, and the part of its name after the first slash: the point of its matrix,
    /// whatever the stage itself is called.
    fn label<'a>(&self, stage: &'a RunStage) -> Option<(StageKind, &'a str)> {
        let kind = self.action(stage)?.kind;
        Some((kind, stage.name.split_once('/').map_or("", |(_, it)| it)))
    }
}

/// A stage of either run, or of both.
type Pair<'a> = [Option<&'a RunStage>; 2];

/// Stages of one name belong together, and of what is left those that do the same at the same
/// point of a matrix.
fn pairs<'a>(before: &'a [RunStage], now: &'a [RunStage], kinds: &Kinds) -> Vec<Pair<'a>> {
    let mut left_over: Vec<_> = now.iter().collect();
    let mut take = |wanted: &dyn Fn(&RunStage) -> bool| {
        let at = left_over.iter().position(|stage| wanted(stage))?;
        Some(left_over.remove(at))
    };
    let mut pairs: Vec<Pair<'a>> = before
        .iter()
        .map(|stage| [Some(stage), take(&|other| other.name == stage.name)])
        .collect();
    for [before, now] in &mut pairs {
        if let (Some(stage), None) = (*before, *now)
            && let Some(label) = kinds.label(stage)
        {
            *now = take(&|other| kinds.label(other) == Some(label));
        }
    }
    pairs.extend(left_over.into_iter().map(|stage| [None, Some(stage)]));
    pairs
}

fn stage(store: &Store, pair: Pair<'_>, kinds: &Kinds) -> Result<StageDifference, StoreError> {
    let actions = pair.map(|stage| kinds.action(stage?));
    let fields = actions.map(|action| {
        let fields = action.and_then(|action| Fields::of(action).ok());
        fields.unwrap_or_default()
    });
    let artifacts = pair.map(|stage| stage?.artifact);
    let keys = pair.map(|stage| stage?.action);
    let kind = actions
        .into_iter()
        .flatten()
        .map(|action| action.kind)
        .next();
    let in_both = actions.iter().all(Option::is_some);
    let (mut metrics, mut files) = (Vec::new(), Vec::new());
    if let [Some(before), Some(now)] = artifacts
        && before != now
    {
        if keys[0] == keys[1] {
            files = compare_artifacts(store, before, now)?;
        }
        metrics = differing_metrics(store, before, now)?;
    }
    let [before, now] = &fields;
    Ok(StageDifference {
        names: pair.map(|stage| Some(stage?.name.clone())),
        kind,
        actions: keys,
        artifacts,
        // Of a stage that is in one run only, everything would differ.
        fields: if in_both {
            before.differences(now)
        } else {
            Vec::new()
        },
        metrics,
        files,
    })
}
