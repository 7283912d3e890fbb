//! Runs a frozen plan: resolves keys as results arrive, takes what is cached, and keeps as many
//! workers busy as there are jobs.

mod desk;
mod job;
mod report;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use assay_core::{ActionKey, ActionResult, StageOutcome};
use assay_store::Store;

use crate::cancel::Cancel;
use crate::elsewhere::Elsewhere;
use crate::environment::Settings;
use crate::error::EngineError;
use crate::freeze::FrozenStage;
use crate::resolve::{Resolved, Resolver};
use crate::sharing::PerCard;
use crate::stream::{Announcer, Event};
use crate::supervise::{Completed, Failure, LOCK_INTERVAL, allow_many_files};
use desk::Desk;
use state::State;

pub use report::{RunOutcome, RunReport, StageReport};

/// A run in progress.
pub(crate) struct Runner<'a> {
    pub(crate) store: &'a Store,
    pub(crate) pipeline: &'a str,
    pub(crate) stages: &'a [FrozenStage],
    pub(crate) settings: &'a Settings,
    /// The folder of the pipeline file.
    pub(crate) base: &'a Path,
    pub(crate) cancel: &'a Cancel,
    pub(crate) announcer: &'a Announcer<'a>,
    pub(crate) elsewhere: Elsewhere<'a>,
}

/// The key of an action, and its result if it has one; without one, the action is stored.
type Prepared = (ActionKey, Option<ActionResult>);

/// A request to stop is noticed within this time while others execute stages.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// Something that happened beside the thread that schedules.
enum Happened {
    /// A stage has come to its end.
    Ended(usize, ActionKey, Box<Result<Completed, Failure>>),
    /// A worker of this run is gone.
    Free,
    /// A worker of so many stages ended before some of them did, which are to be executed again.
    Apart(usize, Vec<(usize, ActionKey)>),
}

impl Runner<'_> {
    /// Runs every stage that can be run.
    pub(crate) fn run(&self) -> Result<Vec<StageReport>, EngineError> {
        let mut state = State::new(self.stages, self.settings.per_card);
        let resolver = Resolver::new(self.store, self.pipeline, self.stages, self.cancel);
        let cards = self.settings.card_pool();
        let (sender, finished) = channel();
        let stopping = AtomicBool::new(false);
        if self.settings.portable && self.settings.per_card != PerCard::Most(1) {
            allow_many_files();
        }
        thread::scope(|scope| {
            let mut running = 0;
            // Closed at the end of this scope, which ends the service.
            let tasks = self.elsewhere.executor.map(|executor| {
                let (tasks, taken) = channel();
                let desk = Desk {
                    run: self,
                    stopping: &stopping,
                    finished: sender.clone(),
                };
                scope.spawn(move || executor.serve(self.store, &taken, &desk));
                tasks
            });
            let mut outside = 0;
            loop {
                self.resolve_ready(&resolver, &mut state)?;
                if let Some(tasks) = &tasks {
                    outside += self.hand_over(&mut state, tasks);
                    stopping.store(self.stops(&state), Ordering::SeqCst);
                }
                while running < self.settings.jobs
                    && let Some(job) = self.next(&mut state, &cards)?
                {
                    running += 1;
                    for part in &job.parts {
                        self.announcer.announce(Event::StageStarted {
                            stage: self.stages[part.at].planned.name.clone(),
                            action: part.key,
                        });
                    }
                    let sender = sender.clone();
                    scope.spawn(move || self.execute(job, &sender));
                }
                let waits = !self.stops(&state) && !state.pending.is_empty();
                if running == 0 && outside == 0 && !waits {
                    return Ok::<(), EngineError>(());
                }
                if running == 0 && outside == 0 {
                    self.announce_waiting(&mut state);
                }
                // A stage may wait for another run to finish it, which nobody tells us of.
                let patience = if waits && running < self.settings.jobs {
                    LOCK_INTERVAL
                } else if outside > 0 {
                    STOP_INTERVAL
                } else {
                    Duration::MAX
                };
                match finished.recv_timeout(patience) {
                    Ok(Happened::Ended(at, key, ended)) => {
                        if self.is_for_others(at) {
                            outside -= 1;
                        }
                        state.leave_room(&self.stages[at]);
                        self.end(at, Some(key), *ended, &mut state);
                    }
                    Ok(Happened::Free) => running -= 1,
                    Ok(Happened::Apart(count, left)) => {
                        for (at, key) in left {
                            state.leave_room(&self.stages[at]);
                            state.sharing.left(at, count);
                            state.pending.insert(at, key);
                        }
                    }
                    Err(_) => {}
                }
            }
        })?;
        let reports = state.reports.into_iter().zip(self.stages);
        let reports: Vec<_> = reports
            .map(|(report, stage)| report.unwrap_or_else(|| StageReport::skipped(stage)))
            .collect();
        resolver.keep(reports.iter().filter_map(|report| report.key));
        Ok(reports)
    }

    /// Announces, once, the first stage that another run is at.
    fn announce_waiting(&self, state: &mut State<'_>) {
        if let Some((&at, &action)) = state.pending.first_key_value()
            && state.announced.insert(at)
        {
            self.announcer.announce(Event::StageWaiting {
                stage: self.stages[at].planned.name.clone(),
                action,
            });
        }
    }

    /// True if nothing new is to be started.
    fn stops(&self, state: &State<'_>) -> bool {
        self.cancel.is_requested() || (state.failed && !self.settings.keep_going)
    }

    /// Ends ready stages whose results are there, which makes others ready.
    fn resolve_ready(
        &self,
        resolver: &Resolver<'_>,
        state: &mut State<'_>,
    ) -> Result<(), EngineError> {
        while !self.stops(state) && !state.ready.is_empty() {
            let ready = Vec::from_iter(std::mem::take(&mut state.ready));
            let mut prepared = resolver.resolve(
                &ready,
                |input| state.artifact(input),
                |resolved| self.prepare(resolved),
            )?;
            self.fetch(&mut prepared)?;
            for (at, prepared) in ready.into_iter().zip(prepared) {
                if self.stops(state) {
                    break;
                }
                self.begin(at, prepared, state);
            }
        }
        Ok(())
    }

    /// The key of an action, which is stored if it has no result, and its result if it has one.
    fn prepare(&self, resolved: Resolved<'_>) -> Result<Prepared, EngineError> {
        // Without its document nobody can check what a result is of.
        if resolved.is_to_run() || !self.store.has_action(resolved.key)? {
            self.store.put_action(&resolved.action())?;
        }
        Ok((resolved.key, resolved.result))
    }

    /// Looks elsewhere for results that the store does not have.
    fn fetch(&self, prepared: &mut [Option<Prepared>]) -> Result<(), EngineError> {
        let Some(source) = self.elsewhere.results else {
            return Ok(());
        };
        let lacks = |prepared: &&mut Prepared| prepared.1.is_none();
        let mut lacking: Vec<_> = prepared.iter_mut().flatten().filter(lacks).collect();
        if lacking.is_empty() || self.cancel.is_requested() {
            return Ok(());
        }
        let keys: Vec<_> = lacking.iter().map(|(key, _)| *key).collect();
        let remark = |message| self.announcer.announce(Event::Remark { message });
        source.fetch(self.store, &keys, &remark);
        for (key, result) in &mut lacking {
            *result = self.store.cached(*key)?;
        }
        Ok(())
    }

    /// Ends a stage at once if its result is there, or if its plugin cannot be used.
    fn begin(&self, at: usize, prepared: Option<Prepared>, state: &mut State<'_>) {
        match prepared {
            Some((key, Some(result))) => {
                let cached = true;
                self.end(at, Some(key), Ok(Completed { result, cached }), state);
            }
            Some((key, None)) => {
                state.pending.insert(at, key);
            }
            None => {
                if let Some(refusal) = &self.stages[at].refused {
                    self.end(at, None, Err(refusal.failure()), state);
                }
            }
        }
    }

    fn end(
        &self,
        at: usize,
        key: Option<ActionKey>,
        ended: Result<Completed, Failure>,
        state: &mut State<'_>,
    ) {
        let (outcome, result, failure) = match ended {
            Ok(Completed { result, cached }) => {
                let outcome = if cached {
                    StageOutcome::Cached
                } else {
                    StageOutcome::Ran
                };
                (outcome, Some(result), None)
            }
            Err(Failure::Cancelled) => (StageOutcome::Skipped, None, Some(Failure::Cancelled)),
            Err(failure) => (StageOutcome::Failed, None, Some(failure)),
        };
        let report = StageReport {
            planned: Arc::clone(&self.stages[at].planned),
            outcome,
            key,
            result,
            failure,
        };
        if let Some(event) = report.event() {
            self.announcer.announce(event);
        }
        state.failed |= outcome == StageOutcome::Failed;
        if let Some(result) = &report.result {
            state.sharing.ended(at, outcome, result);
            for &reader in &state.readers[at] {
                state.missing[reader] -= 1;
                if state.missing[reader] == 0 {
                    state.ready.insert(reader);
                }
            }
        }
        state.reports[at] = Some(report);
    }
}
