//! Preview of a run: which stages would run now, and why.

use std::collections::{BTreeSet, HashSet};

use assay_core::{Action, ActionKey, ActionResult, ArtifactHash};

use crate::cancel::Cancel;
use crate::error::EngineError;
use crate::explain::{Explainer, History, Reason, Why};
use crate::freeze::FrozenStage;
use crate::session::Session;

/// Action and result of a stage, as far as they are known before anything runs.
pub(crate) struct Resolved {
    /// Its action, if everything it reads is there.
    pub(crate) action: Option<(ActionKey, Action)>,
    /// Its result, if the store has one that can be used.
    pub(crate) result: Option<ActionResult>,
}

impl Resolved {
    pub(crate) fn key(&self) -> Option<ActionKey> {
        self.action.as_ref().map(|(key, _)| *key)
    }

    fn artifact(&self) -> Option<ArtifactHash> {
        self.result.as_ref().map(|result| result.artifact)
    }
}

impl Session {
    /// Every stage, with the reason why it would or would not run.
    ///
    /// # Errors
    /// The store cannot be read, or it was asked to stop.
    pub fn preview(&self, cancel: &Cancel) -> Result<Vec<Why>, EngineError> {
        let resolved = self.resolved(cancel)?;
        let mut explainer = self.explainer(&resolved);
        let whys = (0..self.stages.len()).map(|at| {
            cancel.check()?;
            Ok(explainer.explain(at)?)
        });
        whys.collect()
    }

    /// Why each stage that `names` select is cached or not; without names, why each one that
    /// would run does.
    ///
    /// # Errors
    /// The store cannot be read, or it was asked to stop.
    pub fn why(&self, names: &[String], cancel: &Cancel) -> Result<Vec<Why>, EngineError> {
        let resolved = self.resolved(cancel)?;
        let mut explainer = self.explainer(&resolved);
        let is_asked = |at: &usize| {
            let stage = &self.stages[*at].planned;
            let is_named = names.iter().any(|name| stage.is_selected_by(name));
            is_named || (names.is_empty() && resolved[*at].result.is_none())
        };
        let whys = (0..self.stages.len()).filter(is_asked).map(|at| {
            cancel.check()?;
            let mut why = explainer.explain(at)?;
            if let Reason::Waits { comparison, .. } = &mut why.reason {
                *comparison = explainer.compare_waiting(at)?;
            }
            Ok(why)
        });
        whys.collect()
    }

    fn explainer<'a>(&'a self, resolved: &'a [Resolved]) -> Explainer<'a> {
        Explainer {
            store: &self.store,
            sources: &self.sources,
            stages: &self.stages,
            resolved,
            history: History::new(&self.store, &self.name),
            explained: HashSet::new(),
        }
    }

    /// The action and the result of each stage, as far as they are known.
    fn resolved(&self, cancel: &Cancel) -> Result<Vec<Resolved>, EngineError> {
        let _hold = self.store.hold()?;
        let mut known: Vec<Resolved> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            cancel.check()?;
            let (mut action, mut result) = (None, None);
            if stage.refused.is_none()
                && let Some(own) = stage.action(&self.store, |input| known[input].artifact())?
            {
                let (key, _) = own.document().map_err(EngineError::Canonical)?;
                result = self.store.cached(key)?;
                action = Some((key, own));
            }
            known.push(Resolved { action, result });
        }
        Ok(known)
    }
}

/// The names of the stages that `stage` reads and that have no result.
pub(crate) fn waiting(
    stages: &[FrozenStage],
    resolved: &[Resolved],
    stage: &FrozenStage,
) -> Vec<String> {
    let inputs: BTreeSet<_> = stage.planned.waits_for().collect();
    let waiting = inputs
        .into_iter()
        .filter(|&input| resolved[input].result.is_none());
    waiting
        .map(|input| stages[input].planned.name.clone())
        .collect()
}
