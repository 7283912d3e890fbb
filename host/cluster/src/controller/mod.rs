//! The controller: hands actions to a queue and waits for their results in the hub.
//!
//! - An action is done when its result was read from the hub and verified, whatever the queue says of its job.
//! - A job that the queue cannot tell of is not a failed job. An action is given up only when its job has ended and
//!   no result came for a while.
//! - Nothing is kept on disk. A controller that is started again finds its jobs in the queue by the names of their
//!   arrays, and submits nothing twice.

mod conclude;
mod open;
mod program;
mod submit;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use assay_core::{ActionKey, ActionResult, ObjectHash};
use assay_engine::{Client, Completed, Executor, Failure, Task};
use assay_remote::{Access, Place, RemoteError};
use assay_store::Store;

use self::open::{Job, Open};
use self::program::install_program;
use crate::differing::differing;
use crate::error::ClusterError;
use crate::hub::{Hub, WaveNote};
use crate::queue::{Needs, Queue, QueuedTask, TaskState};
use crate::sites::Site;

/// The controller sleeps for so long at a time.
const TICK: Duration = Duration::from_millis(50);
/// Tasks that come within this time of each other are submitted together.
const GATHER: Duration = Duration::from_millis(100);
/// The shortest time between two looks for results; to ask for them may take the share 1 / [`SHARE`] of the time.
const LOOK: Duration = Duration::from_secs(1);
const SHARE: u32 = 10;

/// The queue of a cluster as an executor.
pub struct Cluster {
    site: Site,
    hub: Hub,
    program: PathBuf,
}

impl Cluster {
    /// Makes ready to submit jobs of this site.
    ///
    /// # Errors
    /// The hub or the folder of logs cannot be used.
    pub fn open(site: Site) -> Result<Self, ClusterError> {
        let hub = Hub::open(&site.hub, Access::Write)?;
        fs::create_dir_all(&site.logs).map_err(|source| ClusterError::File {
            what: "create the folder",
            path: site.logs.clone(),
            source,
        })?;
        let program = match (&site.program, &site.hub) {
            (Some(program), _) => program.clone(),
            (None, Place::Folder(hub)) => install_program(hub)?,
            // `Sites::find` has refused it.
            (None, Place::Bucket { .. } | Place::Web(_)) => PathBuf::from("pipeline"),
        };
        Ok(Self { site, hub, program })
    }
}

impl Executor for Cluster {
    fn serve(&self, store: &Store, tasks: &Receiver<Task>, run: &dyn Client) {
        let queue = self.site.kind.open(&self.site);
        Controller {
            cluster: self,
            store,
            run,
            queue: queue.as_ref(),
            open: BTreeMap::new(),
            waves: HashMap::new(),
            missed: HashMap::new(),
            submitted: BTreeSet::new(),
            most_tasks: None,
            asked: None,
            is_known: false,
            looked: (Instant::now(), Duration::ZERO),
            retry: Instant::now(),
            remarks: BTreeSet::new(),
        }
        .serve(tasks);
    }
}

/// The jobs of one run.
struct Controller<'a> {
    cluster: &'a Cluster,
    store: &'a Store,
    run: &'a dyn Client,
    queue: &'a dyn Queue,
    /// The actions that have not ended.
    open: BTreeMap<ActionKey, Open>,
    /// The actions of arrays that were found in the queue.
    waves: HashMap<String, WaveNote>,
    /// Arrays in the queue whose actions are not known, and since when.
    missed: HashMap<String, Instant>,
    /// The arrays of this run, and those of earlier ones that it took over.
    submitted: BTreeSet<String>,
    /// The most tasks of an array, once the queue was asked.
    most_tasks: Option<usize>,
    /// When the queue was asked for tasks.
    asked: Option<Instant>,
    /// It has answered since actions came: before that, jobs may be there that nobody knows of.
    is_known: bool,
    /// The last look for results, and how long to wait before the next.
    looked: (Instant, Duration),
    /// When to try again what the queue or the hub refused for now.
    retry: Instant,
    /// Remarks that were made already.
    remarks: BTreeSet<String>,
}

impl Controller<'_> {
    fn serve(mut self, tasks: &Receiver<Task>) {
        let mut is_closed = false;
        loop {
            let mut new = Vec::new();
            let mut wait = TICK;
            while !is_closed {
                match tasks.recv_timeout(wait) {
                    Ok(task) => {
                        new.push(task);
                        wait = GATHER;
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => is_closed = true,
                }
                if self.run.is_stopping() {
                    break;
                }
            }
            if is_closed {
                std::thread::sleep(TICK);
            }
            if self.run.is_stopping() {
                new.extend(tasks.try_iter());
                return self.leave(new);
            }
            if is_closed && new.is_empty() && self.open.is_empty() {
                return;
            }
            self.admit(new);
            self.ask_queue();
            self.look();
            self.conclude();
            self.submit();
        }
    }

    /// Leaves everything that has not ended to the queue.
    fn leave(&mut self, new: Vec<Task>) {
        if self.open.values().any(|open| open.job.is_some()) {
            self.run.remark(format!(
                "jobs that were submitted stay in the queue, and the same command takes them up again; `{}` ends them",
                self.queue.cancel_command(&self.submitted)
            ));
        }
        let open = std::mem::take(&mut self.open);
        let open = open.into_values().flat_map(|open| open.tasks);
        for task in open.chain(new) {
            self.run.ended(&task, Err(Failure::Cancelled));
        }
    }

    /// Says something once.
    fn remark(&mut self, message: String) {
        if self.remarks.insert(message.clone()) {
            self.run.remark(message);
        }
    }

    /// Says that the hub could not be read, which is tried again.
    fn remark_unread(&mut self, error: &RemoteError) {
        self.remark(format!("cannot read the hub ({error}); looking again"));
    }

    /// Takes up new actions; those that the hub has results of end at once.
    fn admit(&mut self, new: Vec<Task>) {
        if new.is_empty() {
            return;
        }
        let mut keys = Vec::new();
        for task in new {
            let key = task.key;
            let needs = Needs::new(task.resources, task.limits);
            let open = self.open.entry(key).or_insert_with(|| {
                keys.push(key);
                Open {
                    tasks: Vec::new(),
                    needs,
                    job: None,
                    lost: 0,
                    refused: 0,
                    checkpoint: None,
                }
            });
            open.tasks.push(task);
        }
        self.take_results(&keys, true);
        self.is_known = false;
    }

    /// Asks the queue where the jobs are, unless it was asked a moment ago. What it does not say is not known.
    fn ask_queue(&mut self) {
        let is_new = !self.is_known && self.open.values().any(|open| open.job.is_none());
        let poll = self.cluster.site.poll;
        let is_due = self.asked.is_none_or(|asked| asked.elapsed() >= poll);
        let is_wanted = is_new || self.open.values().any(|open| open.job.is_some());
        if !is_wanted || !is_due {
            return;
        }
        self.asked = Some(Instant::now());
        let run = self.run;
        match self.queue.tasks(&self.submitted, &|| run.is_stopping()) {
            Ok(tasks) => {
                self.is_known = true;
                self.adopt(&tasks);
                if let Err(error) = self.adopt_unseen(&tasks) {
                    self.is_known = false;
                    self.remark_unread(&error);
                }
                self.note(&tasks);
            }
            Err(error) => self.remark(format!(
                "the queue does not say where jobs are ({error}); asking again every {} s",
                poll.as_secs()
            )),
        }
    }

    /// Takes over tasks of earlier runs that execute actions of this one.
    fn adopt(&mut self, tasks: &[QueuedTask]) {
        for task in tasks {
            if !matches!(task.state, TaskState::Pending | TaskState::Running) {
                continue;
            }
            let Some(index) = task.index else { continue };
            if !task.wave.starts_with(&hub_tag(&self.cluster.site)) {
                continue;
            }
            self.read_wave(&task.wave);
            let wave = self.waves.get(&task.wave);
            let key = wave.and_then(|wave| wave.actions.get(index));
            let Some(open) = key.and_then(|key| self.open.get_mut(key)) else {
                continue;
            };
            if open.job.is_none() {
                open.job = Some(Job::new(task.wave.clone(), index));
                self.submitted.insert(task.wave.clone());
                open.tasks.iter().for_each(|task| self.run.queued(task));
            }
        }
    }

    /// Takes over arrays that were submitted a moment ago and that the queue does not know: a controller that was
    /// killed may have left an `sbatch` under way, or a queue that was killed may have forgotten its jobs, which go
    /// on. They are given the time of any job that is gone.
    fn adopt_unseen(&mut self, tasks: &[QueuedTask]) -> Result<(), RemoteError> {
        if self.open.values().all(|open| open.job.is_some()) {
            return Ok(());
        }
        let listed: BTreeSet<_> = tasks.iter().map(|task| task.wave.as_str()).collect();
        let hub = &self.cluster.hub;
        let recent = hub.recent_waves(&hub_tag(&self.cluster.site), self.cluster.site.patience)?;
        for name in recent {
            if listed.contains(name.as_str()) || self.submitted.contains(&name) {
                continue;
            }
            let actions = hub.wave(&name)?.map_or(Vec::new(), |wave| wave.actions);
            for (index, key) in actions.into_iter().enumerate() {
                let Some(open) = self.open.get_mut(&key) else {
                    continue;
                };
                // One that told how it ended is over.
                if open.job.is_none() && !hub.has_attempt(key, &name)? {
                    open.job = Some(Job::new(name.clone(), index));
                    open.tasks.iter().for_each(|task| self.run.queued(task));
                }
            }
            self.submitted.insert(name);
        }
        Ok(())
    }

    /// Reads which actions the tasks of a wave execute. Its note may be seen late here; until then nothing is
    /// submitted, since its jobs would be submitted again.
    fn read_wave(&mut self, name: &str) {
        if self.waves.contains_key(name) {
            return;
        }
        match self.cluster.hub.wave(name) {
            Ok(Some(wave)) => drop(self.waves.insert(name.to_owned(), wave)),
            Ok(None) => {
                let missed = self.missed.entry(name.to_owned());
                let since = *missed.or_insert_with(Instant::now);
                self.is_known &= since.elapsed() >= self.cluster.site.patience;
            }
            Err(error) => {
                self.is_known = false;
                self.remark_unread(&error);
            }
        }
    }

    /// Notes what the queue says of the jobs.
    fn note(&mut self, tasks: &[QueuedTask]) {
        let mut found: HashMap<(&str, Option<usize>), &QueuedTask> = HashMap::new();
        for task in tasks {
            found.insert((&task.wave, task.index), task);
        }
        for task in tasks
            .iter()
            .filter(|task| self.submitted.contains(&task.wave))
        {
            if let Some(reason) = &task.held {
                let message = format!(
                    "the queue holds job {} ({reason}): `scontrol release {}` lets it go on",
                    task.job, task.job
                );
                if self.remarks.insert(message.clone()) {
                    self.run.remark(message);
                }
            }
        }
        let late = self.cluster.site.poll;
        for open in self.open.values_mut() {
            let Some(job) = &mut open.job else { continue };
            let task = found.get(&(job.wave.as_str(), Some(job.index)));
            match task.or_else(|| found.get(&(job.wave.as_str(), None))) {
                Some(&task) => {
                    let ended = matches!(task.state, TaskState::Ended | TaskState::Cancelled);
                    if !ended {
                        (job.ended, job.is_looked_for) = (None, false);
                    } else if job.ended.is_none() {
                        job.ended = Some(Instant::now());
                    }
                    if task.state == TaskState::Running && !job.is_started {
                        job.is_started = true;
                        open.tasks.iter().for_each(|task| self.run.started(task));
                    }
                    job.queued = Some(task.clone());
                }
                // It may not be there yet; after a while it is there no more.
                None if job.submitted.elapsed() > late && job.ended.is_none() => {
                    job.ended = Some(Instant::now());
                }
                None => {}
            }
        }
    }

    /// Looks for results of the actions whose jobs may have begun.
    fn look(&mut self) {
        let (last, pause) = self.looked;
        if last.elapsed() < pause {
            return;
        }
        let may_be_done = |open: &Open| {
            let job = open.job.as_ref();
            job.is_some_and(|job| !job.is_in_state(TaskState::Pending))
        };
        let keys = self.open.iter().filter(|(_, open)| may_be_done(open));
        let keys: Vec<_> = keys.map(|(key, _)| *key).collect();
        if keys.is_empty() {
            return;
        }
        let asking = self.take_results(&keys, false);
        for key in keys {
            let job = self.open.get_mut(&key).and_then(|open| open.job.as_mut());
            if let Some(job) = job {
                job.is_looked_for |= asking.is_some() && job.ended.is_some();
            }
        }
        self.looked = (Instant::now(), LOOK.max(asking.unwrap_or_default() * SHARE));
    }

    /// Takes the results that the hub has of these actions, and ends those that have one. Gives the time that the
    /// hub took to say which it has; nothing if it did not.
    fn take_results(&mut self, keys: &[ActionKey], cached: bool) -> Option<Duration> {
        let started = Instant::now();
        let records = match self.cluster.hub.results(keys) {
            Ok(records) => records,
            Err(error) => {
                self.remark_unread(&error);
                return None;
            }
        };
        let asking = started.elapsed();
        let mut by_action: BTreeMap<ActionKey, Vec<ActionResult>> = BTreeMap::new();
        for (_, result) in records {
            by_action.entry(result.action).or_default().push(result);
        }
        for (key, results) in by_action {
            if self.run.is_stopping() {
                break;
            }
            for result in &results {
                if let Err(error) = self.cluster.hub.take_result(self.store, result) {
                    self.remark(format!(
                        "a result of {} in the hub cannot be used yet: {error}",
                        key.short()
                    ));
                }
            }
            match self.store.cached(key) {
                Ok(None) => {}
                Ok(Some(result)) => {
                    if let Some(message) = differing(self.store, key) {
                        self.remark(message);
                    }
                    self.end(key, |_| {
                        Ok(Completed {
                            result: result.clone(),
                            cached,
                        })
                    });
                }
                Err(error) => {
                    let message = error.to_string();
                    self.end(key, |_| Err(failure(message.clone(), "")));
                }
            }
        }
        Some(asking)
    }

    fn end(&mut self, key: ActionKey, ended: impl Fn(&Task) -> Result<Completed, Failure>) {
        let tasks = self.open.remove(&key).map(|open| open.tasks);
        for task in tasks.into_iter().flatten() {
            self.run.ended(&task, ended(&task));
        }
    }
}

fn failure(message: String, help: &str) -> Failure {
    Failure::Stage {
        message,
        help: help.to_owned(),
        chain: Vec::new(),
        log: Vec::new(),
    }
}

/// The beginning of the names of all arrays that share the site's hub.
fn hub_tag(site: &Site) -> String {
    let hub = ObjectHash::of(site.hub.to_string().as_bytes()).to_string();
    hub[..8].to_owned()
}
