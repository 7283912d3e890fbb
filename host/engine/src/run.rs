//! Runs a frozen plan: resolves keys as results arrive, takes what is cached, and keeps as many
//! workers busy as there are jobs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use assay_core::{ActionKey, ActionResult, ArtifactHash, RunHash, RunStage, StageOutcome};
use assay_store::{ActionLock, Store};
use serde::{Deserialize, Serialize};

use crate::cancel::Cancel;
use crate::device::{CardPool, HeldCard};
use crate::elsewhere::{Client, Elsewhere, Task};
use crate::environment::Settings;
use crate::error::EngineError;
use crate::freeze::FrozenStage;
use crate::plan::PlannedStage;
use crate::resolve::{Resolved, Resolver};
use crate::stages::TrainingParameters;
use crate::stream::{Announcer, Event};
use crate::supervise::{Completed, Execution, Failure, LOCK_INTERVAL};

/// Report of a stage that came to its end.
#[derive(Debug)]
pub struct StageReport {
    /// The stage as it was planned.
    pub planned: Arc<PlannedStage>,
    /// Its outcome.
    pub outcome: StageOutcome,
    /// Its action, once it was known.
    pub key: Option<ActionKey>,
    /// Its result, if it has one.
    pub result: Option<ActionResult>,
    /// The failure or cancellation that left it without a result, if there was one.
    pub failure: Option<Failure>,
}

impl StageReport {
    /// The parameters of a training, those that a search chose included.
    pub fn training(&self, store: &Store) -> Option<Cow<'_, TrainingParameters>> {
        if let Some(planned) = self.planned.training() {
            return Some(Cow::Borrowed(planned));
        }
        self.planned.chosen()?;
        let action = store.action(self.key?).ok()?;
        let parameters = serde_json::Value::Object(action.parameters);
        Some(Cow::Owned(serde_json::from_value(parameters).ok()?))
    }

    /// Its end as an event; none where it never began.
    fn event(&self) -> Option<Event> {
        let stage = self.planned.name.clone();
        Some(match (&self.result, self.key, &self.failure) {
            (Some(result), Some(action), _) if self.outcome == StageOutcome::Cached => {
                Event::StageCached {
                    stage,
                    action,
                    artifact: result.artifact,
                }
            }
            (Some(result), Some(action), _) => Event::StageFinished {
                stage,
                action,
                artifact: result.artifact,
                duration_ms: result.duration_ms,
            },
            (_, _, Some(Failure::Cancelled)) => Event::StageStopped { stage },
            (_, _, Some(failure)) => Event::StageFailed {
                stage,
                message: failure.to_string(),
            },
            (_, _, None) => return None,
        })
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every stage has a result.
    Complete,
    /// Some stage failed.
    Failed,
    /// It was asked to stop.
    Stopped,
}

/// A whole run.
#[derive(Debug)]
pub struct RunReport {
    /// The run's manifest in the store.
    pub hash: RunHash,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Every stage, in the plan's order.
    pub stages: Vec<StageReport>,
}

/// A run in progress.
pub(crate) struct Runner<'a> {
    pub(crate) store: &'a Store,
    pub(crate) stages: &'a [FrozenStage],
    pub(crate) settings: &'a Settings,
    /// The folder of the pipeline file.
    pub(crate) base: &'a Path,
    pub(crate) cancel: &'a Cancel,
    pub(crate) announcer: &'a Announcer<'a>,
    pub(crate) elsewhere: Elsewhere<'a>,
}

/// State of the stages in a run.
struct State {
    reports: Vec<Option<StageReport>>,
    /// How many inputs of each stage have no artifact yet.
    missing: Vec<usize>,
    /// Which stages read each stage.
    readers: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    /// Stages to execute, whose actions are stored.
    pending: BTreeMap<usize, ActionKey>,
    /// Stages that were announced to wait for another run.
    announced: BTreeSet<usize>,
    /// How many trainings of each search with a limit are running.
    searching: HashMap<Arc<str>, usize>,
    failed: bool,
}

impl State {
    fn new(stages: &[FrozenStage]) -> Self {
        let mut readers = vec![Vec::new(); stages.len()];
        for (at, stage) in stages.iter().enumerate() {
            let waits_for = stage.planned.waits_for();
            waits_for.for_each(|input| readers[input].push(at));
        }
        let missing = stages.iter().map(|stage| stage.planned.waits_for().count());
        let missing: Vec<_> = missing.collect();
        let ready = (0..stages.len()).filter(|&at| missing[at] == 0).collect();
        let reports = stages.iter().map(|_| None).collect();
        Self {
            reports,
            missing,
            readers,
            ready,
            pending: BTreeMap::new(),
            announced: BTreeSet::new(),
            searching: HashMap::new(),
            failed: false,
        }
    }

    /// True if another training of the stage's search may run now.
    fn has_room(&self, stage: &FrozenStage) -> bool {
        stage.planned.parallel().is_none_or(|limit| {
            let running = self.searching.get(&limit.search);
            running.is_none_or(|&running| running < limit.most)
        })
    }

    /// Counts the stage among the running trainings of its search.
    fn take_room(&mut self, stage: &FrozenStage) {
        if let Some(limit) = stage.planned.parallel() {
            let search = Arc::clone(&limit.search);
            *self.searching.entry(search).or_default() += 1;
        }
    }

    fn artifact(&self, at: usize) -> Option<ArtifactHash> {
        Some(self.reports[at].as_ref()?.result.as_ref()?.artifact)
    }
}

/// The key of an action, and its result if it has one; without one, the action is stored.
type Prepared = (ActionKey, Option<ActionResult>);

/// A stage that is about to be executed.
struct Job<'a> {
    at: usize,
    key: ActionKey,
    lock: ActionLock,
    /// The card that it computes on, if it does on one.
    card: Option<HeldCard<'a>>,
}

/// A request to stop is noticed within this time while others execute stages.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// A stage that a job thread finished.
type Finished = (usize, ActionKey, Result<Completed, Failure>);

impl Runner<'_> {
    /// Runs every stage that can be run.
    pub(crate) fn run(&self) -> Result<Vec<StageReport>, EngineError> {
        let mut state = State::new(self.stages);
        let resolver = Resolver::new(self.store, self.stages, self.cancel);
        let cards = self.settings.card_pool();
        let (sender, finished) = channel();
        let stopping = AtomicBool::new(false);
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
                    self.announcer.announce(Event::StageStarted {
                        stage: self.stages[job.at].planned.name.clone(),
                        action: job.key,
                    });
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
                if let Ok((at, key, ended)) = finished.recv_timeout(patience) {
                    if self.is_for_others(at) {
                        outside -= 1;
                    } else {
                        running -= 1;
                    }
                    if let Some(limit) = self.stages[at].planned.parallel() {
                        *state
                            .searching
                            .entry(Arc::clone(&limit.search))
                            .or_default() -= 1;
                    }
                    self.end(at, Some(key), ended, &mut state);
                }
            }
        })?;
        let rest = state.reports.into_iter().zip(self.stages);
        Ok(rest
            .map(|(report, stage)| report.unwrap_or_else(|| skipped(stage)))
            .collect())
    }

    /// Announces, once, the first stage that another run is at.
    fn announce_waiting(&self, state: &mut State) {
        if let Some((&at, &action)) = state.pending.first_key_value()
            && state.announced.insert(at)
        {
            self.announcer.announce(Event::StageWaiting {
                stage: self.stages[at].planned.name.clone(),
                action,
            });
        }
    }

    /// Whether nothing new is to be started.
    fn stops(&self, state: &State) -> bool {
        self.cancel.is_requested() || (state.failed && !self.settings.keep_going)
    }

    /// Ends ready stages whose results are there, which makes others ready.
    fn resolve_ready(&self, resolver: &Resolver<'_>, state: &mut State) -> Result<(), EngineError> {
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

    /// True of a stage that others execute: it loads a plugin, and there are others. Whatever needs the
    /// network or the user's own files, and the small work between trainings, stays here.
    fn is_for_others(&self, at: usize) -> bool {
        self.elsewhere.executor.is_some() && self.stages[at].planned.plugin.is_some()
    }

    /// The stage as those get it who execute it.
    fn task(&self, at: usize, key: ActionKey) -> Task {
        let frozen = &self.stages[at];
        Task {
            stage: at,
            name: frozen.planned.name.clone(),
            key,
            limits: frozen.planned.limits,
            resources: frozen.resources(),
        }
    }

    /// Hands the pending stages that are for others over to them; how many.
    fn hand_over(&self, state: &mut State, tasks: &Sender<Task>) -> usize {
        let mut handed = 0;
        if self.stops(state) {
            return handed;
        }
        let pending = std::mem::take(&mut state.pending);
        for (at, key) in pending {
            if !self.is_for_others(at) || !state.has_room(&self.stages[at]) {
                state.pending.insert(at, key);
                continue;
            }
            state.take_room(&self.stages[at]);
            handed += 1;
            // The service takes them until the sender is closed.
            let _ = tasks.send(self.task(at, key));
        }
        handed
    }

    /// Ends a stage at once if its result is there, or if its plugin cannot be used.
    fn begin(&self, at: usize, prepared: Option<Prepared>, state: &mut State) {
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

    /// The first stage in the plan's order that nobody executes and whose card is free, with the lock
    /// of its action: what another run is at is left to it, and looked at again later.
    fn next<'c>(
        &self,
        state: &mut State,
        cards: &'c CardPool,
    ) -> Result<Option<Job<'c>>, EngineError> {
        if self.stops(state) {
            return Ok(None);
        }
        let mut free = cards.take();
        for (&at, &key) in &state.pending {
            let on_card = self.stages[at].is_on_card();
            if on_card && free.is_none() {
                continue;
            }
            if self.is_for_others(at) || !state.has_room(&self.stages[at]) {
                continue;
            }
            if let Some(lock) = self.store.lock_action(key, false)? {
                state.pending.remove(&at);
                state.take_room(&self.stages[at]);
                let card = on_card.then(|| free.take()).flatten();
                return Ok(Some(Job {
                    at,
                    key,
                    lock,
                    card,
                }));
            }
        }
        Ok(None)
    }

    /// The threads of an action: a dataset takes all processors, since everything else waits for it.
    fn threads_of(&self, at: usize) -> usize {
        match self.stages[at].environment() {
            Some(_) => self.settings.threads as usize,
            None => self.settings.processors(),
        }
    }

    /// Executes one action on a thread of its own.
    fn execute(&self, job: Job<'_>, sender: &Sender<Finished>) {
        let Job {
            at,
            key,
            lock,
            card,
        } = job;
        let stage = &self.stages[at].planned;
        let own = stage.work.data_path().map(|path| self.base.join(path));
        let data_dir = own.as_deref().or(self.settings.data_dir.as_deref());
        let observe = |news| self.announcer.announce(Event::of_news(&stage.name, news));
        let execution = Execution {
            store: self.store,
            data_dir,
            threads: self.threads_of(at),
            limits: stage.limits,
            card: card.as_ref().map(|held| &held.card),
            cancel: self.cancel,
            observe: &observe,
        };
        let ended = execution.execute_locked(key, &lock);
        drop(lock);
        if let (Some(card), Err(failure)) = (&card, &ended)
            && failure.is_of_lost_card()
        {
            card.note_failure();
        }
        drop(card);
        // The receiver lives until every job has reported.
        let _ = sender.send((at, key, ended));
    }

    fn end(
        &self,
        at: usize,
        key: Option<ActionKey>,
        ended: Result<Completed, Failure>,
        state: &mut State,
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
        if report.result.is_some() {
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

/// The run as those see it who execute some of its stages.
struct Desk<'a> {
    run: &'a Runner<'a>,
    stopping: &'a AtomicBool,
    finished: Sender<Finished>,
}

impl Client for Desk<'_> {
    fn queued(&self, task: &Task) {
        self.run.announcer.announce(Event::StageQueued {
            stage: task.name.clone(),
            action: task.key,
        });
    }

    fn started(&self, task: &Task) {
        self.run.announcer.announce(Event::StageStarted {
            stage: task.name.clone(),
            action: task.key,
        });
    }

    fn ended(&self, task: &Task, ended: Result<Completed, Failure>) {
        // The receiver lives until every task has been reported.
        let _ = self.finished.send((task.stage, task.key, ended));
    }

    fn remark(&self, message: String) {
        self.run.announcer.announce(Event::Remark { message });
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst) || self.run.cancel.is_requested()
    }
}

fn skipped(stage: &FrozenStage) -> StageReport {
    StageReport {
        planned: Arc::clone(&stage.planned),
        outcome: StageOutcome::Skipped,
        key: None,
        result: None,
        failure: None,
    }
}

impl StageReport {
    /// The stage as the run's manifest has it.
    pub(crate) fn entry(&self) -> RunStage {
        RunStage {
            name: self.planned.name.clone(),
            outcome: self.outcome,
            action: self.key,
            artifact: self.result.as_ref().map(|result| result.artifact),
        }
    }
}
