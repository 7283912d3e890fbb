//! Preview of a run: which stages would run now, and why.

use std::collections::{BTreeSet, HashSet};

use assay_core::{Action, ActionKey, ActionResult, ArtifactHash, StageKind};

use crate::cancel::Cancel;
use crate::error::EngineError;
use crate::explain::{Explainer, History, Reason, Why};
use crate::freeze::FrozenStage;
use crate::run::resolve;
use crate::session::Session;

/// Preview of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct StagePreview {
    /// Its name in the plan.
    pub name: String,
    /// The kind of stage.
    pub kind: StageKind,
    /// Its action, if everything it reads is there.
    pub key: Option<ActionKey>,
    /// Why it would or would not run.
    pub reason: Reason,
}

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
    pub fn preview(&self, cancel: &Cancel) -> Result<Vec<StagePreview>, EngineError> {
        let resolved = self.resolved(cancel)?;
        let mut history = None;
        let mut previews = Vec::with_capacity(resolved.len());
        for (stage, now) in self.stages.iter().zip(&resolved) {
            cancel.check()?;
            let reason = if let Some(refusal) = &stage.refused {
                Reason::Refused {
                    why: refusal.failure().to_string(),
                }
            } else if now.result.is_some() {
                Reason::Cached
            } else if let Some((key, action)) = &now.action {
                let history = match &history {
                    Some(history) => history,
                    None => history.insert(History::read(&self.store, &self.name)?),
                };
                history.reason(&stage.planned.name, *key, action)?
            } else {
                Reason::DependsOn {
                    stages: waiting(&self.stages, &resolved, stage),
                }
            };
            previews.push(StagePreview {
                name: stage.planned.name.clone(),
                kind: stage.planned.kind(),
                key: now.key(),
                reason,
            });
        }
        Ok(previews)
    }

    /// Why each stage that `names` select is cached or not; without names, why each one that
    /// would run does.
    ///
    /// # Errors
    /// The store cannot be read, or it was asked to stop.
    pub fn why(&self, names: &[String], cancel: &Cancel) -> Result<Vec<Why>, EngineError> {
        let resolved = self.resolved(cancel)?;
        let mut explainer = Explainer {
            store: &self.store,
            sources: &self.sources,
            stages: &self.stages,
            resolved: &resolved,
            history: History::read(&self.store, &self.name)?,
            told: HashSet::new(),
        };
        let is_asked = |at: &usize| {
            let stage = &self.stages[*at].planned;
            let is_named = names.iter().any(|name| stage.is_selected_by(name));
            is_named || (names.is_empty() && resolved[*at].result.is_none())
        };
        let asked = (0..self.stages.len()).filter(is_asked);
        let whys = asked.map(|at| {
            cancel.check()?;
            Ok(explainer.explain(at)?)
        });
        whys.collect()
    }

    /// The action and the result of each stage, as far as they are known.
    fn resolved(&self, cancel: &Cancel) -> Result<Vec<Resolved>, EngineError> {
        let _hold = self.store.hold()?;
        let mut known: Vec<Resolved> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            cancel.check()?;
            let (mut action, mut result) = (None, None);
            if stage.refused.is_none()
                && let Some(own) = resolve(stage, |input| known[input].artifact())
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
    let inputs: BTreeSet<_> = stage.planned.inputs.values().copied().collect();
    let waiting = inputs
        .into_iter()
        .filter(|&input| resolved[input].result.is_none());
    waiting
        .map(|input| stages[input].planned.name.clone())
        .collect()
}
