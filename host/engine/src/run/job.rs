//! Jobs: the stages that one worker executes, alone or several on a card.

use std::fmt::Write as _;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use assay_core::ActionKey;
use assay_store::ActionLock;

use super::state::State;
use super::{Happened, Runner};
use crate::device::{CardPool, HeldCard};
use crate::error::EngineError;
use crate::event::News;
use crate::stream::Event;
use crate::supervise::{Attempt, Execution, Failure, Member};

/// Work of one worker: a stage that is about to be executed, or several that share a card.
pub(super) struct Job<'a> {
    /// Never empty.
    pub(super) parts: Vec<Part>,
    /// The card that they compute on, if they do on one.
    card: Option<HeldCard<'a>>,
}

/// A stage that is about to be executed.
pub(super) struct Part {
    pub(super) at: usize,
    pub(super) key: ActionKey,
    lock: ActionLock,
}

/// The number of stages that a remark names.
const NAMED: usize = 8;
impl Runner<'_> {
    /// The first stage in the plan's order that nobody executes and whose card is free, with the lock
    /// of its action, and the stages that share its worker: what another run is at is left to it, and
    /// looked at again later.
    pub(super) fn next<'c>(
        &self,
        state: &mut State<'_>,
        cards: &'c CardPool,
    ) -> Result<Option<Job<'c>>, EngineError> {
        if self.stops(state) {
            return Ok(None);
        }
        let mut free = cards.take();
        let mut from = 0;
        while let Some((&at, _)) = state.pending.range(from..).next() {
            from = at + 1;
            let on_card = self.stages[at].is_on_card();
            if on_card && free.is_none() {
                continue;
            }
            if let Some(first) = self.take(at, state)? {
                let card = on_card.then(|| free.take()).flatten();
                let mut parts = vec![first];
                self.add_sharing(&mut parts, state, 1 + cards.free())?;
                return Ok(Some(Job { parts, card }));
            }
        }
        Ok(None)
    }

    /// A pending stage with the lock of its action, if this run may execute it now.
    fn take(&self, at: usize, state: &mut State<'_>) -> Result<Option<Part>, EngineError> {
        let frozen = &self.stages[at];
        let Some(&key) = state.pending.get(&at) else {
            return Ok(None);
        };
        if self.is_for_others(at) || !state.has_room(frozen) {
            return Ok(None);
        }
        let Some(lock) = self.store.lock_action(key, false)? else {
            return Ok(None);
        };
        state.pending.remove(&at);
        state.take_room(frozen);
        Ok(Some(Part { at, key, lock }))
    }

    /// Adds stages that share the worker of the first, in the plan's order: as many as a card takes, and no more
    /// than its part of all where there are so many `workers` for them.
    fn add_sharing(
        &self,
        parts: &mut Vec<Part>,
        state: &mut State<'_>,
        workers: usize,
    ) -> Result<(), EngineError> {
        let Some(first) = parts.first().map(|first| first.at) else {
            return Ok(());
        };
        let mut room = state.sharing.most_with(first);
        if room == 1 || !state.sharing.go_together(first, first) {
            return Ok(());
        }
        let others = state.pending.keys().copied();
        let others = others.filter(|&at| state.sharing.go_together(first, at));
        let others: Vec<_> = others.collect();
        room = room.min((1 + others.len()).div_ceil(workers));
        for at in others {
            if parts.len() >= room {
                break;
            }
            let own = state.sharing.most_with(at);
            if parts.len() < own
                && let Some(part) = self.take(at, state)?
            {
                room = room.min(own);
                parts.push(part);
            }
        }
        Ok(())
    }

    /// The threads of an action: a dataset takes all processors, since everything else waits for it.
    fn threads_of(&self, at: usize) -> usize {
        match self.stages[at].environment() {
            Some(_) => self.settings.threads as usize,
            None => self.settings.processors(),
        }
    }

    /// Executes the actions of one worker, on a thread of its own.
    pub(super) fn execute(&self, job: Job<'_>, sender: &Sender<Happened>) {
        let Job { parts, card } = job;
        let Some(first) = parts.first() else { return };
        let stage = &self.stages[first.at].planned;
        let own = stage.work.data_path().map(|path| self.base.join(path));
        let data_dir = own.as_deref().or(self.settings.data_dir.as_deref());
        let observers = parts.iter().map(|part| {
            let stage = &self.stages[part.at].planned;
            |news| self.announcer.announce(Event::of_news(&stage.name, news))
        });
        let observers: Vec<_> = observers.collect();
        let execution = Execution {
            store: self.store,
            data_dir,
            threads: self.threads_of(first.at),
            limits: stage.limits,
            card: card.as_ref().map(|held| &held.card),
            cancel: self.cancel,
            observe: &observers[0],
        };
        if let [Part { at, key, lock }] = &parts[..] {
            let (at, key) = (*at, *key);
            let ended = execution.execute_locked(key, lock);
            if ended.as_ref().is_err_and(Failure::is_of_lost_card) {
                note_failure(card.as_ref());
            }
            // Before the run goes on, which may leave something to others.
            drop((parts, card));
            let _ = sender.send(Happened::Ended(at, key, Box::new(ended)));
        } else {
            self.execute_at_once(&execution, parts, &observers, card.as_ref(), sender);
            drop(card);
        }
        // The receiver lives until every worker is gone.
        let _ = sender.send(Happened::Free);
    }

    /// Executes stages that share a worker.
    fn execute_at_once(
        &self,
        execution: &Execution<'_>,
        parts: Vec<Part>,
        observers: &[impl Fn(News) + Sync],
        card: Option<&HeldCard<'_>>,
        sender: &Sender<Happened>,
    ) {
        let actions: Vec<_> = parts.iter().map(|part| (part.at, part.key)).collect();
        let members = parts.into_iter().zip(observers);
        let members = members.map(|(part, observe)| Member {
            key: part.key,
            lock: part.lock,
            observe,
        });
        // Those that are left, and why.
        let apart = Mutex::new((Vec::new(), String::new()));
        execution.execute_at_once(members.collect(), &|index, attempt| {
            let (at, key) = actions[index];
            match attempt {
                Attempt::Ended(ended) => {
                    if ended.as_ref().as_ref().is_err_and(Failure::is_of_lost_card) {
                        note_failure(card);
                    }
                    let _ = sender.send(Happened::Ended(at, key, ended));
                }
                Attempt::Again {
                    reason,
                    is_of_lost_card,
                } => {
                    if is_of_lost_card {
                        note_failure(card);
                    }
                    let mut apart = apart.lock().unwrap_or_else(PoisonError::into_inner);
                    apart.0.push((at, key));
                    apart.1 = reason;
                }
            }
        });
        let (mut left, reason) = apart.into_inner().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            return;
        }
        left.sort_unstable();
        let names = left.iter().map(|(at, _)| &*self.stages[*at].planned.name);
        let mut names = names.take(NAMED).collect::<Vec<_>>().join(", ");
        if left.len() > NAMED {
            let _ = write!(names, " and {} more", left.len() - NAMED);
        }
        let message = format!(
            "{reason}; {} of the {} stages in that worker go on in smaller groups: {names}",
            left.len(),
            actions.len(),
        );
        self.announcer.announce(Event::Remark { message });
        let _ = sender.send(Happened::Apart(actions.len(), left));
    }
}

/// Leaves the card alone from now on, as long as there is another.
fn note_failure(card: Option<&HeldCard<'_>>) {
    if let Some(card) = card {
        card.note_failure();
    }
}
