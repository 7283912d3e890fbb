//! Differences between two runs of a store: in what was asked for, stage by stage, and in the
//! metrics that resulted. It reads documents and tables of metrics, and executes nothing.

use std::collections::{BTreeMap, BTreeSet};

use assay_core::{
    Action, ActionKey, ArtifactHash, Difference, Fields, Run, RunHash, RunStage, StageKind,
};
use assay_store::{Store, StoreError};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

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

/// Something of the first run, of the second one, or of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sides<T> {
    /// Of both runs.
    Both(T, T),
    /// Of the first run only.
    Before(T),
    /// Of the second run only.
    Now(T),
}

impl<T> Sides<T> {
    /// The one of the first run, and the one of the second.
    pub fn each(&self) -> [Option<&T>; 2] {
        match self {
            Self::Both(before, now) => [Some(before), Some(now)],
            Self::Before(before) => [Some(before), None],
            Self::Now(now) => [None, Some(now)],
        }
    }
}

/// As a list of two, with null for a side that is not there.
impl<T: Serialize> Serialize for Sides<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.each().serialize(serializer)
    }
}

/// A stage that differs, or is in one run only.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageDifference {
    /// Its name in each run.
    pub names: Sides<String>,
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
            fields: differing_requests(&before, &now),
            stages: Vec::new(),
            same: 0,
        };
        for pair in pairs(&before.stages, &now.stages, &kinds) {
            match pair {
                Sides::Both(before, now)
                    if before.action == now.action && before.artifact == now.artifact =>
                {
                    difference.same += 1;
                }
                pair => difference.stages.push(stage(store, pair, &kinds)?),
            }
        }
        Ok(difference)
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.stages.is_empty()
    }
}

/// Differences in the requests of two runs as a whole, by field.
fn differing_requests(before: &Run, now: &Run) -> Vec<Difference> {
    let request = |run: &Run| -> [(&str, Value); 5] {
        [
            ("figures", json!(run.figures)),
            ("file", json!(run.file)),
            ("networks", json!(run.networks)),
            ("overrides", json!(run.overrides)),
            ("pipeline", json!(run.pipeline)),
        ]
    };
    let fields = request(before).into_iter().zip(request(now));
    let differing = fields.filter(|((_, before), (_, now))| before != now);
    let differences = differing.map(|((field, before), (_, now))| Difference {
        field: field.to_owned(),
        before: Some(before),
        now: Some(now),
    });
    differences.collect()
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

/// Stages of one name belong together, and of what is left those that do the same at the same
/// point of a matrix.
fn pairs<'a>(
    before: &'a [RunStage],
    now: &'a [RunStage],
    kinds: &Kinds,
) -> Vec<Sides<&'a RunStage>> {
    let mut left_over: Vec<_> = now.iter().collect();
    let mut take = |wanted: &dyn Fn(&RunStage) -> bool| {
        let at = left_over.iter().position(|stage| wanted(stage))?;
        Some(left_over.remove(at))
    };
    let mut pairs: Vec<_> = before
        .iter()
        .map(|stage| match take(&|other| other.name == stage.name) {
            Some(now) => Sides::Both(stage, now),
            None => Sides::Before(stage),
        })
        .collect();
    for pair in &mut pairs {
        if let Sides::Before(stage) = *pair
            && let Some(label) = kinds.label(stage)
            && let Some(now) = take(&|other| kinds.label(other) == Some(label))
        {
            *pair = Sides::Both(stage, now);
        }
    }
    pairs.extend(left_over.into_iter().map(Sides::Now));
    pairs
}

fn stage(
    store: &Store,
    pair: Sides<&RunStage>,
    kinds: &Kinds,
) -> Result<StageDifference, StoreError> {
    let stages = pair.each();
    let actions = stages.map(|stage| kinds.action(stage?));
    let artifacts = stages.map(|stage| stage?.artifact);
    let keys = stages.map(|stage| stage?.action);
    let kind = actions
        .into_iter()
        .flatten()
        .map(|action| action.kind)
        .next();
    // Of a stage that is in one run only, everything would differ.
    let fields = match actions {
        [Some(before), Some(now)] => fields(before)?.differences(&fields(now)?),
        _ => Vec::new(),
    };
    let (mut metrics, mut files) = (Vec::new(), Vec::new());
    if let [Some(before), Some(now)] = artifacts
        && before != now
    {
        if keys[0] == keys[1] {
            files = compare_artifacts(store, before, now)?;
        }
        metrics = differing_metrics(store, before, now)?;
    }
    Ok(StageDifference {
        names: match pair {
            Sides::Both(before, now) => Sides::Both(before.name.clone(), now.name.clone()),
            Sides::Before(before) => Sides::Before(before.name.clone()),
            Sides::Now(now) => Sides::Now(now.name.clone()),
        },
        kind,
        actions: keys,
        artifacts,
        fields,
        metrics,
        files,
    })
}

fn fields(action: &Action) -> Result<Fields, StoreError> {
    Fields::of(action).map_err(StoreError::canonical("action"))
}
