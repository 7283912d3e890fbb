//! Runs a frozen plan: resolves keys as results arrive, takes what is cached, and keeps as many
//! workers busy as there are jobs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
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
use crate::event::News;
use crate::freeze::FrozenStage;
use crate::plan::PlannedStage;
use crate::resolve::{Resolved, Resolver};
use crate::sharing::{PerCard, Sharing};
use crate::stages::TrainingParameters;
use crate::stream::{Announcer, Event};
use crate::supervise::{
    Attempt, Completed, Execution, Failure, LOCK_INTERVAL, Member, allow_many_files,
};

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
struct State<'a> {
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
    sharing: Sharing<'a>,
    failed: bool,
}

impl<'a> State<'a> {
    fn new(stages: &'a [FrozenStage], per_card: PerCard) -> Self {
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
            sharing: Sharing::new(stages, per_card),
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

    /// Gives that back.
    fn leave_room(&mut self, stage: &FrozenStage) {
        if let Some(limit) = stage.planned.parallel() {
            let search = Arc::clone(&limit.search);
            *self.searching.entry(search).or_default() -= 1;
        }
    }

    fn artifact(&self, at: usize) -> Option<ArtifactHash> {
        Some(self.reports[at].as_ref()?.result.as_ref()?.artifact)
    }
}

/// The key of an action, and its result if it has one; without one, the action is stored.
type Prepared = (ActionKey, Option<ActionResult>);

/// Work of one worker: a stage that is about to be executed, or several that share a card.
struct Job<'a> {
    /// Never empty.
    parts: Vec<Part>,
    /// The card that they compute on, if they do on one.
    card: Option<HeldCard<'a>>,
}

/// A stage that is about to be executed.
struct Part {
    at: usize,
    key: ActionKey,
    lock: ActionLock,
}

/// The number of stages that a remark names.
const NAMED: usize = 8;
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
        let resolver = Resolver::new(self.store, self.stages, self.cancel);
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
        let rest = state.reports.into_iter().zip(self.stages);
        Ok(rest
            .map(|(report, stage)| report.unwrap_or_else(|| skipped(stage)))
            .collect())
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

    /// Whether nothing new is to be started.
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
    fn hand_over(&self, state: &mut State<'_>, tasks: &Sender<Task>) -> usize {
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

    /// The first stage in the plan's order that nobody executes and whose card is free, with the lock
    /// of its action, and the stages that share its worker: what another run is at is left to it, and
    /// looked at again later.
    fn next<'c>(
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
    fn execute(&self, job: Job<'_>, sender: &Sender<Happened>) {
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
            if let (Some(card), Err(failure)) = (&card, &ended)
                && failure.is_of_lost_card()
            {
                card.note_failure();
            }
            // Before the run goes on, which may leave something to others.
            drop((parts, card));
            let _ = sender.send(Happened::Ended(at, key, Box::new(ended)));
        } else {
            self.execute_at_once(&execution, parts, &observers, sender);
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
                    let _ = sender.send(Happened::Ended(at, key, ended));
                }
                Attempt::Again { reason } => {
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

/// The run as those see it who execute some of its stages.
struct Desk<'a> {
    run: &'a Runner<'a>,
    stopping: &'a AtomicBool,
    finished: Sender<Happened>,
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
        let ended = Happened::Ended(task.stage, task.key, Box::new(ended));
        let _ = self.finished.send(ended);
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
