//! The actions that a stage may be compared with: those it had itself in earlier runs of its
//! pipeline, and where it had none, all of its kind.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use assay_core::{
    Action, ActionKey, ArtifactHash, Difference, Fields, RunHash, StageKind, StageOutcome,
};
use assay_store::{Store, StoreError};
use serde::Serialize;

use super::cause::Change;

/// The most runs that are looked into, latest first. Older ones tell of settings long gone.
const MOST_RUNS: usize = 64;

/// The action that a stage is compared with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Earlier {
    /// The action.
    pub action: ActionKey,
    /// The latest run of the pipeline in which the stage had it, if there is one.
    pub run: Option<RunHash>,
}

/// Comparison of a stage with an earlier action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The earlier action.
    pub earlier: Earlier,
    /// The differences, each with its cause.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// The differences alone.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.changes.iter().map(|change| &change.difference)
    }
}

/// A stage as it was in one run.
#[derive(Clone, Debug)]
pub(super) struct Past {
    run: RunHash,
    pub(super) action: ActionKey,
    artifact: Option<ArtifactHash>,
    outcome: StageOutcome,
}

impl Past {
    fn earlier(&self) -> Earlier {
        Earlier {
            action: self.action,
            run: Some(self.run),
        }
    }
}

/// The nearest of the earlier actions, and how far it is.
pub(super) struct Nearest {
    pub(super) earlier: Earlier,
    pub(super) differences: Vec<Difference>,
}

/// Earlier actions in a store that a stage may be compared with, read as they are needed.
pub(crate) struct History<'a> {
    store: &'a Store,
    pipeline: &'a str,
    /// Each stage of the pipeline as it was in past runs, the latest run first.
    stages: OnceCell<HashMap<String, Vec<Past>>>,
    /// Every action with results; read only if a stage has no past.
    all: OnceCell<Vec<(ActionKey, StageKind, Fields)>>,
}

impl<'a> History<'a> {
    pub(crate) fn new(store: &'a Store, pipeline: &'a str) -> Self {
        Self {
            store,
            pipeline,
            stages: OnceCell::new(),
            all: OnceCell::new(),
        }
    }

    /// The latest run in which the stage had this action, if it failed there.
    pub(super) fn failed(
        &self,
        stage: &str,
        key: ActionKey,
    ) -> Result<Option<RunHash>, StoreError> {
        let mut past = self.past(stage)?.iter();
        let last = past.find(|past| past.action == key);
        let failed = last.filter(|past| past.outcome == StageOutcome::Failed);
        Ok(failed.map(|past| past.run))
    }

    /// The stage as it was in that run.
    pub(super) fn in_run(&self, stage: &str, run: RunHash) -> Result<Option<&Past>, StoreError> {
        Ok(self.past(stage)?.iter().find(|past| past.run == run))
    }

    /// The nearest action that the stage had, or else the nearest of its kind, looking only at
    /// the fields that `counts` accepts. Among equals it is the latest that the stage had, or
    /// that with the smallest key: the answer does not depend on the file system.
    pub(super) fn nearest(
        &self,
        stage: &str,
        action: &Action,
        counts: impl Fn(&str) -> bool,
    ) -> Result<Option<Nearest>, StoreError> {
        let now = Fields::of(action).map_err(StoreError::canonical("action"))?;
        let to_now = |before: &Fields| {
            let mut differences = before.differences(&now);
            differences.retain(|difference| counts(&difference.field));
            differences
        };
        let own = self
            .past(stage)?
            .iter()
            .filter(|past| past.artifact.is_some());
        let mut seen = HashSet::new();
        let own = own.filter(|past| seen.insert(past.action));
        let own = own.filter_map(|past| {
            let before = Fields::of(&self.store.action(past.action).ok()?).ok()?;
            Some((past, to_now(&before)))
        });
        if let Some((past, differences)) = own.min_by_key(|(_, differences)| differences.len()) {
            let earlier = past.earlier();
            return Ok(Some(Nearest {
                earlier,
                differences,
            }));
        }
        let others = self
            .all()?
            .iter()
            .filter(|(_, kind, _)| *kind == action.kind);
        // A search has thousands of stages, and each looks at thousands of results.
        let mut nearest: Option<(usize, ActionKey, &Fields)> = None;
        for (key, _, before) in others {
            let most = nearest.map_or(usize::MAX, |(distance, ..)| distance);
            if let Some(distance) = before.distance(&now, &counts, most)
                && nearest.is_none_or(|(least, nearest, _)| (distance, *key) < (least, nearest))
            {
                nearest = Some((distance, *key, before));
            }
        }
        Ok(nearest.map(|(_, action, before)| Nearest {
            earlier: Earlier { action, run: None },
            differences: to_now(before),
        }))
    }

    /// Differences between a past stage and its present action, if the past action can be read.
    pub(super) fn compared(&self, past: &Past, action: &Action) -> Option<Nearest> {
        let before = Fields::of(&self.store.action(past.action).ok()?).ok()?;
        Some(Nearest {
            earlier: past.earlier(),
            differences: before.differences(&Fields::of(action).ok()?),
        })
    }

    fn past(&self, stage: &str) -> Result<&[Past], StoreError> {
        let stages = if let Some(stages) = self.stages.get() {
            stages
        } else {
            let stages = self.past_stages()?;
            self.stages.get_or_init(|| stages)
        };
        Ok(stages.get(stage).map_or(&[], Vec::as_slice))
    }

    /// Reads the runs of the pipeline. What cannot be read explains nothing and is left out.
    fn past_stages(&self) -> Result<HashMap<String, Vec<Past>>, StoreError> {
        let latest_first = self.store.runs()?.into_iter().rev();
        let runs = latest_first.filter_map(|(_, hash)| Some((hash, self.store.run(hash).ok()?)));
        let own = runs.filter(|(_, run)| run.pipeline == self.pipeline);
        let mut stages: HashMap<String, Vec<Past>> = HashMap::new();
        for (hash, run) in own.take(MOST_RUNS) {
            for stage in run.stages {
                let Some(action) = stage.action else { continue };
                stages.entry(stage.name).or_default().push(Past {
                    run: hash,
                    action,
                    artifact: stage.artifact,
                    outcome: stage.outcome,
                });
            }
        }
        Ok(stages)
    }

    fn all(&self) -> Result<&[(ActionKey, StageKind, Fields)], StoreError> {
        if let Some(all) = self.all.get() {
            return Ok(all);
        }
        let known = self.store.action_keys()?.into_iter().filter_map(|key| {
            let action = self.store.action(key).ok()?;
            Some((key, action.kind, Fields::of(&action).ok()?))
        });
        Ok(self.all.get_or_init(|| known.collect()))
    }
}
