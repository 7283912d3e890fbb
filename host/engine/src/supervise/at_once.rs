//! Several actions in one worker, which share a card: trainings, or evaluations. Each has a lock, a scratch folder, a log,
//! checkpoints and a result of its own, and gives the same bytes as alone.
//!
//! They share a process. Where that ends before they do, or lacks memory, none can be told to be at fault: what is not done
//! is left to be executed again with fewer beside it, and goes on from its checkpoint. What it does alone is its own.

use std::sync::{Mutex, PoisonError};

use assay_core::{ActionKey, Limit};
use assay_store::ActionLock;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::card_trouble::is_of_card;
use super::outputs::Log;
use super::running::{Ending, Job, run_worker};
use super::watch::is_out_of_memory;
use super::{Begun, Completed, Execution, Failure, no_worker, shorter};
use crate::event::{News, Report};

/// An action that shares a worker.
pub(crate) struct Member<'a> {
    pub(crate) key: ActionKey,
    pub(crate) lock: ActionLock,
    pub(crate) observe: &'a (dyn Fn(News) + Sync),
}

/// Outcome of executing an action beside others.
pub(crate) enum Attempt {
    /// It has come to its end.
    Ended(Box<Result<Completed, Failure>>),
    /// It is to be executed again, with fewer beside it: what happened may be the fault of another.
    Again {
        /// The end of the worker.
        reason: String,
        /// Its card is unlikely to be of use to another.
        is_of_lost_card: bool,
    },
}

impl Attempt {
    fn of(ended: Result<Completed, Failure>) -> Self {
        Self::Ended(Box::new(ended))
    }

    fn again(failure: &Failure) -> Self {
        Self::Again {
            reason: failure.to_string(),
            is_of_lost_card: failure.is_of_lost_card(),
        }
    }

    fn is_completed(&self) -> bool {
        match self {
            Self::Ended(ended) => ended.is_ok(),
            Self::Again { .. } => false,
        }
    }
}

/// The file that the worker prints to, in the scratch folder of the first action.
const PRINTED: &str = "printed.txt";

/// Lets this process open as many files as it may: it holds three for each action, and dozens of actions on each card.
/// If it may not, fewer have to do.
pub(crate) fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
}

impl Execution<'_> {
    /// Executes actions at once in one worker, and tells `ended` of each as soon as its outcome is known, with its
    /// place among them.
    pub(crate) fn execute_at_once(
        &self,
        members: Vec<Member<'_>>,
        ended: &(dyn Fn(usize, Attempt) + Sync),
    ) {
        let _work = self.cancel.begin_work();
        let mut begun = Vec::new();
        for (at, member) in members.into_iter().enumerate() {
            match self.begin_or_find(member.key) {
                Ok(Begin::Found(completed)) => ended(at, Attempt::of(Ok(*completed))),
                Ok(Begin::Begun(it)) => begun.push(BegunMember {
                    at,
                    begun: *it,
                    lock: Mutex::new(Some(member.lock)),
                    observe: member.observe,
                }),
                Err(failure) => ended(at, Attempt::of(Err(failure))),
            }
        }
        if let Err(failure) = self.execute_begun(&begun, ended) {
            for BegunMember { at, .. } in begun {
                ended(at, Attempt::again(&failure));
            }
        }
    }

    fn begin_or_find(&self, key: ActionKey) -> Result<Begin, Failure> {
        if let Some(result) = self.store.cached(key)? {
            let cached = true;
            return Ok(Begin::Found(Box::new(Completed { result, cached })));
        }
        let begun = self.begin(key, shorter(self.store, key)?)?;
        Ok(Begin::Begun(Box::new(begun)))
    }

    /// Executes what is left of the members.
    ///
    /// # Errors
    /// The worker cannot be started, and nobody was told anything.
    fn execute_begun(
        &self,
        members: &[BegunMember<'_>],
        ended: &(dyn Fn(usize, Attempt) + Sync),
    ) -> Result<(), Failure> {
        let Some(first) = members.first() else {
            return Ok(());
        };
        let at_once = u32::try_from(members.len()).ok();
        let at_once = at_once.filter(|&count| count > 1);
        let printed = Log::start(first.begun.scratch.join(PRINTED))?;
        let actions: Vec<_> = members.iter().map(|it| &it.begun).collect();
        let kernels = self.lend_kernels(&first.begun);
        let command = self.command(&actions, kernels.as_ref())?;
        let jobs = members.iter().map(BegunMember::job);
        let jobs: Vec<_> = jobs.collect::<Result<_, _>>()?;
        let completed = run_worker(self, command, &printed, jobs, |index, ending| {
            let BegunMember {
                at, begun, lock, ..
            } = &members[index];
            begun.log.append(&printed);
            let attempt = self.attempt(begun, ending, at_once);
            let completed = attempt.is_completed();
            // The first has the folder of temporary files of all.
            if completed && index > 0 {
                self.clear_away(begun);
            }
            drop(lock.lock().unwrap_or_else(PoisonError::into_inner).take());
            ended(*at, attempt);
            completed
        })?;
        if let Some(kernels) = kernels {
            kernels.keep();
        }
        if completed.first() == Some(&true) {
            self.clear_away(&first.begun);
        }
        Ok(())
    }

    /// Removes the scratch folder of an action whose result is stored. One that stays is in nobody's way.
    fn clear_away(&self, begun: &Begun) {
        let _ = self.store.clear_scratch(begun.assignment.key);
    }

    fn attempt(
        &self,
        begun: &Begun,
        ending: Result<Ending, Failure>,
        at_once: Option<u32>,
    ) -> Attempt {
        let shares = at_once.is_some() && !ending.as_ref().is_ok_and(is_own);
        let completed = ending
            .and_then(|ending| self.finish(begun, ending, at_once))
            .and_then(|(result, _work)| {
                self.store.commit_result(&result)?;
                Ok(Completed {
                    result,
                    cached: false,
                })
            });
        match completed {
            Err(failure) if shares && !matches!(failure, Failure::Cancelled) => {
                Attempt::again(&failure)
            }
            completed => Attempt::of(completed),
        }
    }
}

/// An action that is about to share a worker.
struct BegunMember<'a> {
    /// Its place among the members.
    at: usize,
    begun: Begun,
    /// Held until it has come to its end.
    lock: Mutex<Option<ActionLock>>,
    observe: &'a (dyn Fn(News) + Sync),
}

impl BegunMember<'_> {
    fn job(&self) -> Result<Job<'_>, Failure> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = lock.as_ref().map(ActionLock::try_clone_file);
        Ok(Job {
            begun: &self.begun,
            lock: lock.ok_or_else(no_worker)??,
            observe: self.observe,
        })
    }
}

/// The beginning of an execution.
enum Begin {
    /// Its result is there already.
    Found(Box<Completed>),
    Begun(Box<Begun>),
}

/// True if what became of an action is its own, whatever else its worker did.
fn is_own(ending: &Ending) -> bool {
    match &ending.reports.last {
        Some(Report::Failed { message, chain, .. }) => {
            let words: Vec<_> = std::iter::once(message)
                .chain(chain)
                .map(String::as_str)
                .collect();
            !is_of_card(&words) && !words.iter().any(|it| is_out_of_memory(it))
        }
        Some(Report::Done(_) | Report::Cancelled) => true,
        _ => matches!(ending.limit, Some(Limit::Time(_))),
    }
}
