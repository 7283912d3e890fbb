//! Executes actions: takes their locks, starts a worker, watches it, and commits what it leaves.
//!
//! A worker that panics, aborts, is killed or talks nonsense becomes a [`Failure`] that names
//! the action and its plugin; the store is touched only after the worker has done an action well.

mod at_once;
mod card_trouble;
mod failure;
mod kernels;
mod outputs;
mod reports;
mod running;
mod shorter;
mod watch;

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use assay_core::{Action, ActionKey, ActionResult, ArtifactHash, Limit, Limits};
use assay_store::{ActionLock, Store, StoreError};
use signal_hook::consts::{SIGABRT, SIGHUP, SIGINT, SIGTERM};

pub(crate) use self::at_once::{Attempt, Member, allow_many_files};
pub use self::card_trouble::CardTrouble;
pub use self::failure::Failure;

use self::kernels::Kernels;
use self::outputs::{Log, collect};
use self::running::{Ending, Job, run_worker};
use self::shorter::{Shorter, shorter};
use self::watch::is_out_of_memory;
use crate::cancel::{Cancel, Work};
use crate::containment::Profile;
use crate::device::Card;
use crate::environment::{card_variables, inherited, is_portable, variables};
use crate::event::{Done, News, Report};
use crate::handover::Assignment;
use crate::stages::Kind;
use crate::worker::{OUT, TEMPORARY};

/// The end of an execution that gave an artifact.
#[derive(Clone, Debug)]
pub struct Completed {
    /// The result.
    pub result: ActionResult,
    /// Whether somebody else had it ready once the action's lock was free.
    pub cached: bool,
}

/// Inputs to an execution, beside its action.
#[derive(Clone, Copy)]
pub struct Execution<'a> {
    /// Where the action is, and where its result goes.
    pub store: &'a Store,
    /// Where the user keeps datasets.
    pub data_dir: Option<&'a Path>,
    /// Processors for the host's own work, and for a plugin's where its environment does not say; they decide
    /// nothing.
    pub threads: usize,
    /// Resource limits of its worker.
    pub limits: Limits,
    /// The card that its worker computes on, if it does on one; a portable action computes there as on a processor.
    pub card: Option<&'a Card>,
    /// Asks it to stop.
    pub cancel: &'a Cancel,
    /// Receives its progress and the epochs of a training.
    pub observe: &'a (dyn Fn(News) + Sync),
}

/// An action under its lock, on its way to a result.
struct Begun {
    action: Action,
    assignment: Assignment,
    scratch: PathBuf,
    started_ms: u64,
    clock: Instant,
    log: Log,
    shorter: Option<Shorter>,
}

impl<'a> Execution<'a> {
    /// Executes the action `key`, which the store already holds, and commits its result. If
    /// another process executes it right now, waits for that one's result instead.
    ///
    /// # Errors
    /// See [`Failure`]; the store is as it was, and what can be resumed lies in the scratch
    /// folder.
    pub fn execute(&self, key: ActionKey) -> Result<Completed, Failure> {
        match self.take_lock(key)? {
            Some(lock) => self.execute_locked(key, &lock),
            None => Err(Failure::Cancelled),
        }
    }

    /// As [`Execution::execute`], for whoever has the action's lock.
    pub(crate) fn execute_locked(
        &self,
        key: ActionKey,
        lock: &ActionLock,
    ) -> Result<Completed, Failure> {
        if let Some(result) = self.store.cached(key)? {
            return Ok(Completed {
                result,
                cached: true,
            });
        }
        let shorter = shorter(self.store, key)?;
        let (result, _work) = self.perform(key, lock, shorter, true)?;
        self.store.commit_result(&result)?;
        self.store.clear_scratch(key)?;
        Ok(Completed {
            result,
            cached: false,
        })
    }

    /// Executes the action `key` again, whether or not it has a result, and from its beginning or from
    /// the end of `earlier`, the artifact of a shorter action: what an interrupted execution left is thrown
    /// away, it goes on from no other result, and has no kernels that earlier workers compiled. The artifact
    /// is in the store then, and the result is not committed.
    ///
    /// # Errors
    /// See [`Failure`]; nothing is left in the scratch folder.
    pub(crate) fn repeat(
        &self,
        key: ActionKey,
        earlier: Option<ArtifactHash>,
    ) -> Result<ActionResult, Failure> {
        let Some(lock) = self.take_lock(key)? else {
            return Err(Failure::Cancelled);
        };
        self.store.clear_scratch(key)?;
        let shorter = earlier.map(Shorter::of);
        let ended = self.perform(key, &lock, shorter, false);
        let ended = ended.map(|(result, _)| result);
        self.store.clear_scratch(key)?;
        ended
    }

    /// Executes the action under its lock and puts its artifact into the store; `lends_kernels` says whether its worker has
    /// those of earlier ones. A request to stop waits for the worker, and then as [`Execution::finish`] says.
    fn perform(
        &self,
        key: ActionKey,
        lock: &ActionLock,
        shorter: Option<Shorter>,
        lends_kernels: bool,
    ) -> Result<(ActionResult, Work<'a>), Failure> {
        let work = self.cancel.begin_work();
        let begun = self.begin(key, shorter)?;
        let kernels = lends_kernels.then(|| self.lend_kernels(&begun)).flatten();
        let command = self.command(&[&begun], kernels.as_ref())?;
        let job = Job {
            begun: &begun,
            lock: lock.try_clone_file()?,
            observe: self.observe,
        };
        let mut ended = run_worker(self, command, &begun.log, vec![job], |_, ending| ending)?;
        if let Some(kernels) = kernels {
            kernels.keep();
        }
        let ending = ended.pop().ok_or_else(no_worker)??;
        // Until its artifact is written all can be broken off: what the worker left stays in the scratch folder.
        drop(work);
        self.finish(&begun, ending, None)
    }

    /// Gets an action ready for a worker.
    fn begin(&self, key: ActionKey, shorter: Option<Shorter>) -> Result<Begun, Failure> {
        let scratch = self.store.scratch(key)?;
        Ok(Begun {
            action: self.store.action(key)?,
            assignment: Assignment {
                key,
                continue_from: shorter.as_ref().map(|it| it.artifact),
            },
            started_ms: now_ms(),
            clock: Instant::now(),
            log: Log::start(scratch.join(LOG))?,
            scratch,
            shorter,
        })
    }

    /// Puts into the store what a worker left of an action, if it did it well; of so many `at_once`, where there were
    /// others. A request to stop waits until what is given beside the result is dropped.
    fn finish(
        &self,
        begun: &Begun,
        ending: Ending,
        at_once: Option<u32>,
    ) -> Result<(ActionResult, Work<'a>), Failure> {
        let Begun {
            action,
            assignment: Assignment { key, .. },
            scratch,
            started_ms,
            clock,
            log,
            shorter,
        } = begun;
        let containment = ending.reports.containment;
        let done = self.judge(ending, action, log)?;
        check_inputs(self.store, action)?;
        let work = self.cancel.begin_work();
        let files =
            collect(&scratch.join(OUT), done.outputs).map_err(|reason| nonsense(action, reason))?;
        let before = shorter.as_ref();
        let before = before.filter(|it| done.continued_from == Some(it.artifact));
        let before_ms = done.earlier_ms + before.map_or(0, |it| it.duration_ms);
        let epochs_before = before.map_or(&[][..], |it| &it.epoch_ms);
        let result = ActionResult {
            action: *key,
            artifact: self.store.commit_artifact(files)?,
            started_ms: *started_ms,
            duration_ms: before_ms + clock.elapsed().as_millis() as u64,
            peak_memory: done.peak_memory,
            threads: self.compute_threads(action),
            card: self.card.map(|card| card.name.clone()),
            at_once,
            host: host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log: log.store(self.store)?,
            containment,
            limits: self.limits,
            continued_from: done.continued_from,
            epoch_ms: [epochs_before, &done.epoch_ms].concat(),
            multiply_adds: done.multiply_adds.or_else(|| before?.multiply_adds),
        };
        Ok((result, work))
    }

    /// The threads that a plugin may compute with, if the action uses one.
    fn compute_threads(&self, action: &Action) -> Option<u32> {
        let environment = action.environment.as_ref()?;
        environment.threads.or(u32::try_from(self.threads).ok())
    }

    /// Waits for the lock in steps, so that a request to stop is heard.
    fn take_lock(&self, key: ActionKey) -> Result<Option<ActionLock>, StoreError> {
        while !self.cancel.is_requested() {
            if let Some(lock) = self.store.lock_action(key, false)? {
                return Ok(Some(lock));
            }
            thread::sleep(LOCK_INTERVAL);
        }
        Ok(None)
    }

    /// The command line and variables of a worker for these actions, which are several only where they have the same
    /// plugin and environment.
    fn command(
        &self,
        actions: &[&Begun],
        kernels: Option<&Kernels<'_>>,
    ) -> Result<Command, Failure> {
        let mut command = Command::new(own_executable().map_err(Failure::Start)?);
        command
            .arg0("pipeline")
            .args(["worker", "--store"])
            .arg(self.store.root())
            .args(["--threads", &self.threads.to_string()])
            .args(["--supervisor", &process::id().to_string()]);
        if let Some(data_dir) = self.data_dir {
            command.arg("--data-dir").arg(data_dir);
        }
        if let Some(memory) = self.limits.memory {
            command.args(["--memory", &format!("{memory} B")]);
        }
        let Some(Begun {
            action, scratch, ..
        }) = actions.first()
        else {
            return Err(no_worker());
        };
        if Kind::of(action.kind).profile == Profile::Sealed {
            command.env_clear().envs(inherited());
        }
        if let Some(environment) = &action.environment {
            command.envs(variables(environment, self.threads));
        }
        if let Some(card) = self.card {
            let environment = action.environment.as_ref();
            command.envs(card_variables(card, environment));
            if is_portable(environment) {
                command.arg("--on-card");
            }
        }
        let temporary = std::path::absolute(scratch.join(TEMPORARY)).map_err(Failure::Start)?;
        command.env("TMPDIR", temporary);
        match kernels {
            Some(kernels) => command.env(kernels::VARIABLE, kernels.path()),
            None => command.env_remove(kernels::VARIABLE),
        };
        // Nobody reads them but those who look at the list of processes.
        command.args(actions.iter().map(|it| it.assignment.key.to_string()));
        Ok(command)
    }

    /// The worker's report of its outputs if it ended well, else the failure.
    fn judge(&self, ending: Ending, action: &Action, log: &Log) -> Result<Done, Failure> {
        let plugin = action.plugin.as_ref().map(|pin| pin.name.clone());
        let limit = ending.limit.or_else(|| self.refused_memory(&ending, log));
        if let Some(limit) = limit.filter(|_| !ending.is_of_its_own()) {
            return Err(Failure::Limit {
                limit,
                plugin,
                log: log.last_lines(),
            });
        }
        let trouble = self.card_trouble(&ending, log);
        let is_stopped = self.is_stopped(&ending);
        let failure = match ending.reports.last {
            Some(Report::Done(done)) if ending.has_ended_well() => return Ok(done),
            Some(Report::Cancelled) => return Err(Failure::Cancelled),
            _ if is_stopped => return Err(Failure::Cancelled),
            Some(Report::Failed {
                message,
                help,
                chain,
            }) => Failure::Stage {
                message,
                help,
                chain,
                log: log.last_lines(),
            },
            _ => Failure::Died {
                how: ending.status.map_or_else(unknown_end, describe),
                plugin,
                log: log.last_lines(),
            },
        };
        Err(match trouble {
            Some((trouble, card)) => Failure::Card {
                trouble,
                card,
                failure: Box::new(failure),
            },
            None => failure,
        })
    }

    /// True if this process was asked to stop. A signal for all of its group may end a worker that has no group of its
    /// own yet before this process hears of it.
    fn is_stopped(&self, ending: &Ending) -> bool {
        let signal = ending.status.and_then(|status| status.signal());
        if signal.is_some_and(|signal| STOPPING.contains(&signal)) {
            let heard = Instant::now();
            while !self.cancel.is_requested() && heard.elapsed() < HEARING {
                thread::sleep(LOCK_INTERVAL);
            }
        }
        self.cancel.is_requested()
    }

    /// The fault of the card that the worker computed on, and that card, recognised in its report
    /// or, where it died without one, in the end of its log.
    fn card_trouble(&self, ending: &Ending, log: &Log) -> Option<(CardTrouble, String)> {
        let card = self.card?;
        let trouble = match &ending.reports.last {
            Some(Report::Failed { message, chain, .. }) => {
                let words = std::iter::once(message).chain(chain);
                CardTrouble::of(&words.map(String::as_str).collect::<Vec<_>>())
            }
            None => CardTrouble::of(&[&log.text()]),
            Some(_) => None,
        };
        Some((trouble?, card.to_string()))
    }

    /// The memory limit, if it is what a worker died or failed of: all that the worker knows is
    /// that an allocation was refused.
    fn refused_memory(&self, ending: &Ending, log: &Log) -> Option<Limit> {
        let limit = Limit::Memory(self.limits.memory?);
        let refused = match &ending.reports.last {
            Some(Report::Failed { message, chain, .. }) => {
                is_out_of_memory(message) || chain.iter().any(|cause| is_out_of_memory(cause))
            }
            None => {
                let signal = ending.status.and_then(|status| status.signal());
                signal == Some(SIGABRT) && is_out_of_memory(&log.text())
            }
            Some(_) => false,
        };
        refused.then_some(limit)
    }
}

fn nonsense(action: &Action, reason: String) -> Failure {
    Failure::Protocol {
        reason,
        plugin: action.plugin.as_ref().map(|pin| pin.name.clone()),
    }
}

const LOG: &str = "log.txt";
/// Signals by which a process and its group are asked to stop.
const STOPPING: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];
/// The time in which this process hears of one that has reached a worker.
const HEARING: Duration = Duration::from_millis(500);
/// How long to wait before another look at a lock.
pub(crate) const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// The end of the log of an execution that gave no result, as long as its scratch folder is there.
pub fn failed_log(store: &Store, key: ActionKey) -> Option<Vec<u8>> {
    let path = store.scratch(key).ok()?.join(LOG);
    Log::of_file(assay_files::open(&path).ok()?, path)
        .end()
        .ok()
}

/// The name of this machine.
pub fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Milliseconds since 1970 (UTC).
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as u64)
}

/// The file of this program, even if it was replaced since it was started.
pub(crate) fn own_executable() -> io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        Ok(link)
    } else {
        std::env::current_exe()
    }
}

/// A worker for no action is never started.
fn no_worker() -> Failure {
    Failure::Start(io::Error::other("there is nothing for it to execute"))
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("an unknown signal");
            format!("was ended by {name} (signal {signal})")
        }
        (None, Some(code)) => format!("exited with code {code} without reporting a result"),
        (None, None) => unknown_end(),
    }
}

fn unknown_end() -> String {
    "ended in an unknown way".to_owned()
}

/// The inputs are still what the action's key says.
fn check_inputs(store: &Store, action: &Action) -> Result<(), Failure> {
    for &artifact in action.inputs.values() {
        for file in store
            .artifact(artifact)
            .map_err(Failure::InputChanged)?
            .files
            .values()
        {
            store.verify(file.object).map_err(Failure::InputChanged)?;
        }
    }
    if let Some(plugin) = &action.plugin {
        store
            .verify(plugin.hash.into())
            .map_err(Failure::InputChanged)?;
    }
    Ok(())
}
