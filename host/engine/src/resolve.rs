//! Resolving frozen stages: their actions once the artifacts that they read are known, and the results
//! that the store has of those.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use assay_core::{Action, ActionKey, ActionResult, ArtifactHash};
use assay_store::{KnownResults, Store};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::cancel::Cancel;
use crate::error::EngineError;
use crate::freeze::FrozenStage;
use crate::stages::{RANKING, TrainingParameters, object};

/// The fewest stages that are worth a thread; for no more of them none is started.
pub(crate) const LEAST_SHARE: usize = 32;

/// A ranking may not be larger.
const LARGEST_RANKING: u64 = 1 << 30;

/// Resolves the stages of one plan.
pub(crate) struct Resolver<'a> {
    store: &'a Store,
    stages: &'a [FrozenStage],
    known: KnownResults,
    cancel: &'a Cancel,
    /// The rankings read so far: each decides the parameters of several trainings.
    rankings: Mutex<HashMap<ArtifactHash, Ranked>>,
}

/// A ranking as far as it decides parameters. Of thousands of trials one is wanted, so the others are not
/// read further.
#[derive(Deserialize)]
struct Ranked {
    trials: Vec<RankedTrial>,
}

#[derive(Deserialize)]
struct RankedTrial {
    training: Box<RawValue>,
}

/// The action of a stage, and its result if the store has one that can be used.
pub(crate) struct Resolved<'a> {
    stage: &'a FrozenStage,
    inputs: BTreeMap<String, ArtifactHash>,
    chosen: Map<String, Value>,
    pub(crate) key: ActionKey,
    pub(crate) result: Option<ActionResult>,
}

impl Resolved<'_> {
    pub(crate) fn action(&self) -> Action {
        self.stage.action(self.inputs.clone(), self.chosen.clone())
    }

    /// True if it has no result that can be used.
    pub(crate) fn is_to_run(&self) -> bool {
        self.result.is_none()
    }

    pub(crate) fn artifact(&self) -> Option<ArtifactHash> {
        self.result.as_ref().map(|result| result.artifact)
    }
}

impl<'a> Resolver<'a> {
    /// A resolver of the stages of this pipeline.
    pub(crate) fn new(
        store: &'a Store,
        pipeline: &str,
        stages: &'a [FrozenStage],
        cancel: &'a Cancel,
    ) -> Self {
        // The results of a few stages are read as fast.
        let is_long = stages.len() > LEAST_SHARE;
        Self {
            store,
            stages,
            known: store.known_results(is_long.then_some(pipeline)),
            cancel,
            rankings: Mutex::default(),
        }
    }

    /// Resolves these stages, side by side where they are many, and gives each to `then`. Nothing comes
    /// of a stage whose plugin cannot be used, or of which something that it reads is not known;
    /// `artifact` gives the artifact of an earlier stage. After a request to stop nothing comes of the
    /// rest, so nobody may use the answer then.
    ///
    /// # Errors
    /// The store cannot be read, or an error of `then`.
    pub(crate) fn resolve<T: Send>(
        &self,
        stages: &[usize],
        artifact: impl Fn(usize) -> Option<ArtifactHash> + Sync,
        then: impl Fn(Resolved<'a>) -> Result<T, EngineError> + Sync,
    ) -> Result<Vec<Option<T>>, EngineError> {
        // One hold for all of them.
        let _hold = self.store.hold()?;
        let resolve = |&at: &usize| {
            if self.cancel.is_requested() {
                return Ok(None);
            }
            self.resolve_one(at, &artifact)?.map(&then).transpose()
        };
        if stages.len() <= LEAST_SHARE {
            return stages.iter().map(resolve).collect();
        }
        let stages = stages.par_iter().with_min_len(LEAST_SHARE);
        stages.map(resolve).collect()
    }

    fn resolve_one(
        &self,
        at: usize,
        artifact: impl Fn(usize) -> Option<ArtifactHash>,
    ) -> Result<Option<Resolved<'a>>, EngineError> {
        let stage = &self.stages[at];
        if stage.refused.is_some() {
            return Ok(None);
        }
        let inputs = stage.planned.inputs.iter();
        let inputs = inputs.map(|(role, &input)| Some((role.clone(), artifact(input)?)));
        let Some(inputs) = inputs.collect() else {
            return Ok(None);
        };
        let chosen = match stage.planned.chosen() {
            None => Map::new(),
            Some(chosen) => match artifact(chosen.ranking) {
                Some(ranking) => self.configuration(ranking, chosen.rank)?,
                None => return Ok(None),
            },
        };
        let key = stage
            .key(&inputs, &chosen)
            .map_err(EngineError::Canonical)?;
        let result = self.known.cached(key)?;
        Ok(Some(Resolved {
            stage,
            inputs,
            chosen,
            key,
            result,
        }))
    }

    /// Keeps what was found for the next process that resolves this pipeline, whose actions these are.
    pub(crate) fn keep(self, keys: impl IntoIterator<Item = ActionKey>) {
        self.known.save(keys);
    }

    /// The parameters of the training in some place of a ranking.
    fn configuration(
        &self,
        artifact: ArtifactHash,
        rank: usize,
    ) -> Result<Map<String, Value>, EngineError> {
        let read = self.rankings.lock();
        let mut read = read.unwrap_or_else(PoisonError::into_inner);
        let ranking = match read.entry(artifact) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Ranked::read(self.store, artifact, rank)?),
        };
        ranking.configuration(artifact, rank)
    }
}

/// The parameters of the training in some place of a ranking.
pub(crate) fn configuration(
    store: &Store,
    artifact: ArtifactHash,
    rank: usize,
) -> Result<Map<String, Value>, EngineError> {
    Ranked::read(store, artifact, rank)?.configuration(artifact, rank)
}

impl Ranked {
    /// Reads a ranking, of which the trial in this place is wanted.
    fn read(store: &Store, artifact: ArtifactHash, rank: usize) -> Result<Self, EngineError> {
        let files = store.artifact(artifact)?.files;
        let ranking = files.get(RANKING).map(|file| file.object);
        let bytes = ranking.map(|object| store.read_limited(object, LARGEST_RANKING));
        let bytes = bytes.transpose()?.unwrap_or_default();
        serde_json::from_slice(&bytes).map_err(|_| EngineError::Ranking { artifact, rank })
    }

    fn configuration(
        &self,
        artifact: ArtifactHash,
        rank: usize,
    ) -> Result<Map<String, Value>, EngineError> {
        let unfit = || EngineError::Ranking { artifact, rank };
        let trial = self.trials.get(rank).ok_or_else(unfit)?;
        let training = trial.training.get();
        let training: TrainingParameters = serde_json::from_str(training).map_err(|_| unfit())?;
        Ok(object(&training)?)
    }
}
