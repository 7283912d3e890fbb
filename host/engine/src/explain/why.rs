//! The whole answer to why a stage is cached or not: it follows what differs through the stages
//! that the stage reads.

use std::collections::HashSet;

use assay_core::{ActionKey, ActionResult, RunHash, Source, StageKind};
use assay_store::{Store, StoreError};
use serde::Serialize;

use super::cause::{Cause, Change, StageChange, cause};
use super::history::{Comparison, History, Nearest};
use crate::freeze::FrozenStage;
use crate::preview::waiting;
use crate::resolve::Resolved;

/// The fields that say which artifacts an action reads.
const INPUTS: &str = "inputs.";

/// Why a stage is cached or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The stage's name in the plan.
    pub stage: String,
    /// The kind of stage.
    pub kind: StageKind,
    /// Its action, if everything it reads is there.
    pub action: Option<ActionKey>,
    /// The reason.
    #[serde(flatten)]
    pub reason: Reason,
}

/// Reason why a stage is cached or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Reason {
    /// Its action has this result.
    Cached {
        /// The result.
        result: Box<ActionResult>,
    },
    /// Nothing of its kind has ever run in this store.
    FirstOfItsKind,
    /// It failed when it last ran.
    Failed {
        /// The run.
        run: RunHash,
    },
    /// Its action has results, and none can be used.
    Damaged {
        /// The defect of each result.
        problems: Vec<String>,
    },
    /// Its action differs from every one that has a result.
    Differs {
        /// The nearest of them.
        comparison: Comparison,
    },
    /// Its plugin cannot be used.
    Refused {
        /// The reason.
        why: String,
    },
    /// It reads what is not there yet, so its action is not known.
    Waits {
        /// The stages that come first.
        stages: Vec<String>,
        /// Differences known already, beside the artifacts that it will read. They are looked for
        /// only where the stage is asked about.
        comparison: Option<Comparison>,
    },
}

/// Explains the stages of one plan.
pub(crate) struct Explainer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) sources: &'a [Source],
    pub(crate) stages: &'a [FrozenStage],
    /// Action and result of each stage, as far as they are known before anything runs.
    pub(crate) resolved: &'a [Option<Resolved<'a>>],
    pub(crate) history: History<'a>,
    /// The stages whose changes were explained.
    pub(crate) explained: HashSet<usize>,
}

impl Explainer<'_> {
    /// Why the stage is cached or not.
    pub(crate) fn explain(&mut self, at: usize) -> Result<Why, StoreError> {
        let (stages, resolved) = (self.stages, self.resolved);
        let (stage, resolved) = (&stages[at], &resolved[at]);
        let reason = if let Some(refusal) = &stage.refused {
            Reason::Refused {
                why: refusal.failure().to_string(),
            }
        } else if let Some(resolved) = resolved {
            match &resolved.result {
                Some(result) => Reason::Cached {
                    result: Box::new(result.clone()),
                },
                None => self.not_cached(at, resolved)?,
            }
        } else {
            Reason::Waits {
                stages: waiting(stages, self.resolved, stage),
                comparison: None,
            }
        };
        Ok(Why {
            stage: stage.planned.name.clone(),
            kind: stage.planned.kind(),
            action: resolved.as_ref().map(|resolved| resolved.key),
            reason,
        })
    }

    fn not_cached(&mut self, at: usize, resolved: &Resolved<'_>) -> Result<Reason, StoreError> {
        let key = resolved.key;
        let problems = problems(self.store, key)?;
        if !problems.is_empty() {
            return Ok(Reason::Damaged { problems });
        }
        let name = &self.stages[at].planned.name;
        if let Some(run) = self.history.failed(name, key)? {
            return Ok(Reason::Failed { run });
        }
        Ok(
            match self.history.nearest(name, &resolved.action(), |_| true)? {
                Some(nearest) => Reason::Differs {
                    comparison: self.compare(at, nearest)?,
                },
                None => Reason::FirstOfItsKind,
            },
        )
    }

    /// The differences known already of a stage that waits for others.
    pub(crate) fn compare_waiting(&mut self, at: usize) -> Result<Option<Comparison>, StoreError> {
        let stage = &self.stages[at];
        if stage.planned.chosen().is_some() {
            // Most of its parameters are not known either.
            return Ok(None);
        }
        let action = stage.action_without_inputs();
        let own = |field: &str| !field.starts_with(INPUTS);
        let nearest = self.history.nearest(&stage.planned.name, &action, own)?;
        nearest.map(|nearest| self.compare(at, nearest)).transpose()
    }

    fn compare(&mut self, at: usize, nearest: Nearest) -> Result<Comparison, StoreError> {
        self.explained.insert(at);
        let Nearest {
            earlier,
            differences,
        } = nearest;
        let mut changes = Vec::with_capacity(differences.len());
        for difference in differences {
            let role = difference.field.strip_prefix(INPUTS);
            let input = role.and_then(|role| self.stages[at].planned.inputs.get(role));
            let cause = match input {
                Some(&input) => Cause::Stage {
                    stage: self.stages[input].planned.name.clone(),
                    change: self.change(input, earlier.run)?,
                },
                None => cause(self.sources, &self.stages[at], &difference),
            };
            changes.push(Change { difference, cause });
        }
        Ok(Comparison { earlier, changes })
    }

    /// Why a stage gives another artifact than it did in `run`.
    fn change(&mut self, at: usize, run: Option<RunHash>) -> Result<StageChange, StoreError> {
        if !self.explained.insert(at) {
            return Ok(StageChange::Told);
        }
        let name = &self.stages[at].planned.name;
        let past = match run {
            Some(run) => self.history.in_run(name, run)?,
            None => None,
        };
        let (Some(past), Some(resolved)) = (past.cloned(), &self.resolved[at]) else {
            return Ok(StageChange::Unknown);
        };
        if past.action == resolved.key {
            return Ok(StageChange::NotReproducible);
        }
        match self.history.compared(&past, &resolved.action()) {
            Some(nearest) => Ok(StageChange::Differs(self.compare(at, nearest)?)),
            None => Ok(StageChange::Unknown),
        }
    }
}

/// The defect of each result of an action that has no usable one.
fn problems(store: &Store, key: ActionKey) -> Result<Vec<String>, StoreError> {
    let mut problems = Vec::new();
    for record in store.records(key)? {
        let problem = match record {
            Ok((_, result)) => store.check_artifact(result.artifact).err(),
            Err(error) => Some(error),
        };
        problems.extend(problem.map(|error| error.to_string()));
    }
    Ok(problems)
}
