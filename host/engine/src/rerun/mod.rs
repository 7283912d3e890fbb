//! Executes recorded actions again and says whether the same comes out. Each is executed from its
//! beginning, or a part of it from a state that was kept, with the plugin and the inputs that the store has
//! of it; both results are kept, so that a difference stays visible. It never changes a result that is there.

mod obstacle;
mod part;
mod sample;
mod target;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use assay_audit::{FileDifference, compare_artifacts};
use assay_core::{Action, ActionResult, ArtifactHash, StageKind};
use assay_store::{Store, StoreError};

pub use self::obstacle::Obstacle;
pub use self::part::Part;
pub use self::sample::{InvalidSample, Sample};
pub use self::target::{NoAction, Target};

use self::part::Portion;
use crate::cancel::Cancel;
use crate::containment::Profile;
use crate::device::{CardPool, CardsWhenNeeded, DeviceError, HeldCard};
use crate::environment::unmet;
use crate::error::EngineError;
use crate::stages::Kind;
use crate::stream::{Announcer, Event, Observer};
use crate::supervise::{Execution, Failure, LOCK_INTERVAL};
use crate::trust::TrustPolicy;

/// Settings for executing actions again.
#[derive(Clone, Copy)]
pub struct Rerunning<'a> {
    /// Where the actions are, and where their new results go.
    pub store: &'a Store,
    /// Where the user keeps datasets.
    pub data_dir: Option<&'a Path>,
    /// Actions at a time.
    pub jobs: usize,
    /// Share the jobs evenly among the cards, instead of one action at a time on each.
    pub share_cards: bool,
    /// Where actions are executed that were executed on cards.
    pub cards: &'a CardsWhenNeeded<'a>,
    /// The number of processors that the host's own work may use; it decides nothing.
    pub threads: usize,
    /// Execute also what was executed in an environment that there is not here. What comes out is
    /// compared, and not recorded as a result of the action.
    pub anyway: bool,
    /// Which plugins may run.
    pub trust: &'a TrustPolicy,
    /// Asks it to stop.
    pub cancel: &'a Cancel,
}

/// An action that was executed again, or was to be.
#[derive(Debug)]
pub struct Rerun {
    /// The action, and the artifact that it gave.
    pub target: Target,
    /// The kind of stage, if the action's document can be read.
    pub kind: Option<StageKind>,
    /// Its outcome.
    pub outcome: RerunOutcome,
}

/// Outcome of an action that was to be executed again.
#[derive(Debug)]
pub enum RerunOutcome {
    /// The same bytes came out.
    Same(Reexecution),
    /// Other bytes came out.
    Differs {
        /// The new execution.
        again: Reexecution,
        /// Every difference.
        differences: Vec<FileDifference>,
    },
    /// It failed, which it did not when it was recorded.
    Failed(Failure),
    /// It cannot be executed again here.
    Cannot(Obstacle),
    /// The rerun was stopped before it was done.
    Stopped,
}

impl RerunOutcome {
    /// The end of the target's execution as an event.
    fn event(&self, stage: String) -> Event {
        match self {
            Self::Same(_) => Event::StageRepeated { stage, same: true },
            Self::Differs { .. } => Event::StageRepeated { stage, same: false },
            Self::Failed(failure) => Event::StageFailed {
                stage,
                message: failure.to_string(),
            },
            Self::Cannot(_) | Self::Stopped => Event::StageStopped { stage },
        }
    }
}

/// A new execution of a recorded action.
#[derive(Clone, Debug)]
pub struct Reexecution {
    /// Its result.
    pub result: ActionResult,
    /// The artifact that was to come out: the recorded one, or for a part of a training that of the training, had
    /// it ended there.
    pub expected: ArtifactHash,
    /// Whether it was recorded beside the results that were there.
    pub recorded: bool,
}

impl Rerunning<'_> {
    /// Executes the targets again; what becomes of each comes in their order.
    ///
    /// # Errors
    /// The store failed.
    pub fn rerun(
        &self,
        targets: &[Target],
        observer: &dyn Observer,
    ) -> Result<Vec<Rerun>, EngineError> {
        let announcer = &Announcer::new("", vec![observer]);
        let pool = OnceLock::new();
        let next = AtomicUsize::new(0);
        let reruns = Mutex::new(Vec::with_capacity(targets.len()));
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(target) = targets.get(at) else {
                    return Ok::<_, StoreError>(());
                };
                let rerun = self.rerun_one(target, &pool, announcer)?;
                announcer.announce(rerun.outcome.event(rerun.target.name.clone()));
                let mut reruns = reruns.lock().unwrap_or_else(PoisonError::into_inner);
                reruns.push((at, rerun));
            }
        };
        thread::scope(|scope| {
            let jobs = 0..self.jobs.clamp(1, targets.len().max(1));
            let threads: Vec<_> = jobs.map(|_| scope.spawn(work)).collect();
            let joined = threads.into_iter().map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect::<Result<Vec<()>, _>>()
        })?;
        let mut reruns = reruns.into_inner().unwrap_or_else(PoisonError::into_inner);
        reruns.sort_unstable_by_key(|(at, _)| *at);
        Ok(reruns.into_iter().map(|(_, rerun)| rerun).collect())
    }

    fn rerun_one(
        &self,
        target: &Target,
        pool: &OnceLock<CardPool>,
        announcer: &Announcer<'_>,
    ) -> Result<Rerun, StoreError> {
        let ended = |kind, outcome| Rerun {
            target: target.clone(),
            kind,
            outcome,
        };
        if self.cancel.is_requested() {
            return Ok(ended(None, RerunOutcome::Stopped));
        }
        let action = match self.store.action(target.action) {
            Ok(action) => action,
            Err(error) => {
                let obstacle = Obstacle::Missing {
                    what: "its document".to_owned(),
                    source: error,
                };
                return Ok(ended(None, RerunOutcome::Cannot(obstacle)));
            }
        };
        let outcome = if let Some(obstacle) = self.obstacle(target, &action)? {
            RerunOutcome::Cannot(obstacle)
        } else {
            match self.take_card(&action, pool) {
                Ok(card) if self.cancel.is_requested() => {
                    drop(card);
                    RerunOutcome::Stopped
                }
                Ok(card) => {
                    announcer.announce(Event::StageStarted {
                        stage: target.name.clone(),
                        action: target.action,
                    });
                    self.execute(target, &action, card.as_ref(), announcer)?
                }
                Err(error) => RerunOutcome::Cannot(Obstacle::Device(error)),
            }
        };
        Ok(ended(Some(action.kind), outcome))
    }

    /// Waits for a card, if the action computes on one and unless a stop is asked for.
    fn take_card<'p>(
        &self,
        action: &Action,
        pool: &'p OnceLock<CardPool>,
    ) -> Result<Option<HeldCard<'p>>, DeviceError> {
        if !self.cards.serve(action) {
            return Ok(None);
        }
        let cards = self.cards.open()?;
        let shared = self.share_cards.then_some(self.jobs);
        let pool = pool.get_or_init(|| CardPool::new(Some(cards), shared));
        while !self.cancel.is_requested() {
            if let Some(card) = pool.take() {
                return Ok(Some(card));
            }
            thread::sleep(LOCK_INTERVAL);
        }
        Ok(None)
    }

    /// The obstacle to executing the action again, as far as it can be seen before.
    fn obstacle(&self, target: &Target, action: &Action) -> Result<Option<Obstacle>, StoreError> {
        let unmet = unmet(action);
        if !unmet.is_empty() && !self.anyway {
            return Ok(Some(Obstacle::Environment(unmet)));
        }
        if let Some(pin) = &action.plugin {
            if let Err(untrusted) = self.trust.admit_action(pin) {
                return Ok(Some(Obstacle::Untrusted(untrusted)));
            }
            if let Err(source) = self.store.verify(pin.hash.into()) {
                let what = format!("the library of its plugin `{}`", pin.name);
                return Ok(Some(Obstacle::Missing { what, source }));
            }
        }
        let inputs = action.inputs.iter();
        let inputs = inputs.map(|(role, artifact)| (format!("its input `{role}`"), *artifact));
        let recorded = ("what it gave".to_owned(), target.recorded);
        for (what, artifact) in inputs.chain([recorded]) {
            if let Err(source) = self.store.artifact(artifact) {
                return Ok(Some(Obstacle::Missing { what, source }));
            }
            if !self.store.is_intact(artifact)? {
                return Ok(Some(Obstacle::Damaged { what, artifact }));
            }
        }
        Ok(match self.cards.unmet(self.store, action) {
            Err(error) => Some(Obstacle::Device(error)),
            Ok(unmet) if unmet.is_empty() || self.anyway => None,
            Ok(unmet) => Some(Obstacle::Environment(unmet)),
        })
    }

    fn execute(
        &self,
        target: &Target,
        action: &Action,
        card: Option<&HeldCard<'_>>,
        announcer: &Announcer<'_>,
    ) -> Result<RerunOutcome, StoreError> {
        let execution = Execution {
            store: self.store,
            data_dir: self.data_dir,
            threads: self.threads,
            limits: target.limits,
            card: card.map(|held| &held.card),
            cancel: self.cancel,
            observe: &|news| announcer.announce(Event::of_news(&target.name, news)),
        };
        let portion = match target.part {
            None => Portion::whole(target),
            Some(part) => match Portion::part(self.store, target, action.clone(), part) {
                Ok(portion) => portion,
                Err(error) => return Ok(RerunOutcome::Cannot(Obstacle::Training(error))),
            },
        };
        let result = match execution.repeat(portion.key, portion.earlier) {
            Ok(result) => result,
            Err(Failure::Cancelled) => return Ok(RerunOutcome::Stopped),
            Err(Failure::Store(error)) => return Err(error),
            // It needs what no store has.
            Err(failure @ Failure::Stage { .. })
                if Kind::of(action.kind).profile == Profile::Fetching =>
            {
                return Ok(RerunOutcome::Cannot(Obstacle::Source(failure)));
            }
            Err(failure) => return Ok(RerunOutcome::Failed(failure)),
        };
        // In another environment it was another action, and a part of a training is one.
        let by_card = self.cards.unmet(self.store, action);
        let is_met = unmet(action).is_empty() && by_card.is_ok_and(|unmet| unmet.is_empty());
        let recorded = is_met && target.part.is_none();
        if recorded {
            self.store.commit_result(&result)?;
        }
        let expected = portion.expected(self.store, result.artifact)?;
        let differences = compare_artifacts(self.store, expected, result.artifact)?;
        let same = result.artifact == expected;
        let again = Reexecution {
            result,
            expected,
            recorded,
        };
        Ok(if same {
            RerunOutcome::Same(again)
        } else {
            RerunOutcome::Differs { again, differences }
        })
    }
}
