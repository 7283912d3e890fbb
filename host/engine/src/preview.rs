//! Preview of a run: which stages would run now, and why.

use std::collections::{BTreeSet, HashSet};

use crate::cancel::Cancel;
use crate::error::EngineError;
use crate::explain::{Explainer, History, Reason, Why};
use crate::freeze::FrozenStage;
use crate::resolve::{Resolved, Resolver};
use crate::session::Session;

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
            is_named || (names.is_empty() && resolved[*at].as_ref().is_none_or(Resolved::is_to_run))
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

    fn explainer<'a>(&'a self, resolved: &'a [Option<Resolved<'a>>]) -> Explainer<'a> {
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
    pub(crate) fn resolved<'a>(
        &'a self,
        cancel: &'a Cancel,
    ) -> Result<Vec<Option<Resolved<'a>>>, EngineError> {
        let _hold = self.store.hold()?;
        let resolver = Resolver::new(&self.store, &self.name, &self.stages, cancel);
        let mut known: Vec<Option<Resolved<'_>>> = self.stages.iter().map(|_| None).collect();
        for level in self.levels() {
            let artifact = |input: usize| known[input].as_ref().and_then(Resolved::artifact);
            let found = resolver.resolve(&level, artifact, Ok)?;
            cancel.check()?;
            for (at, resolved) in level.into_iter().zip(found) {
                known[at] = resolved;
            }
        }
        Ok(known)
    }

    /// The stages in levels: each waits for stages of earlier levels alone.
    fn levels(&self) -> Vec<Vec<usize>> {
        let mut levels: Vec<Vec<usize>> = Vec::new();
        let mut level_of: Vec<usize> = Vec::with_capacity(self.stages.len());
        for (at, stage) in self.stages.iter().enumerate() {
            let inputs = stage.planned.waits_for();
            let level = inputs.map(|input| level_of[input] + 1).max().unwrap_or(0);
            level_of.push(level);
            if level == levels.len() {
                levels.push(Vec::new());
            }
            levels[level].push(at);
        }
        levels
    }
}

/// The names of the stages that `stage` reads and that have no result.
pub(crate) fn waiting(
    stages: &[FrozenStage],
    resolved: &[Option<Resolved<'_>>],
    stage: &FrozenStage,
) -> Vec<String> {
    let inputs: BTreeSet<_> = stage.planned.waits_for().collect();
    let waiting = inputs
        .into_iter()
        .filter(|&input| resolved[input].as_ref().is_none_or(Resolved::is_to_run));
    waiting
        .map(|input| stages[input].planned.name.clone())
        .collect()
}
