//! Executes one action: takes its lock, starts a worker, watches it, and commits what it leaves.
//!
//! A worker that panics, aborts, is killed or talks nonsense becomes a [`Failure`] that names
//! the action and its plugin; the store is touched only after the worker has ended well.

mod card_trouble;
mod failure;
mod outputs;
mod reports;
mod shorter;
mod watch;

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use assay_core::{Action, ActionKey, ActionResult, ArtifactHash, Limit, Limits, StageKind};
use assay_store::{ActionLock, Store, StoreError};
use rustix::process::Pid;
use signal_hook::consts::SIGABRT;

pub use self::card_trouble::CardTrouble;
pub use self::failure::Failure;

use self::outputs::{Log, collect};
use self::reports::{Reports, listen};
use self::shorter::{Shorter, shorter};
use self::watch::{is_out_of_memory, watch};
use crate::cancel::{Cancel, Manner, Work};
use crate::containment::Profile;
use crate::device::Card;
use crate::environment::{card_variables, inherited, is_portable, variables};
use crate::event::{Done, News, Report};
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
    pub observe: &'a dyn Fn(News),
}

impl Execution<'_> {
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
        let (result, _work) = self.perform(key, lock, shorter.as_ref())?;
        self.store.commit_result(&result)?;
        self.store.clear_scratch(key)?;
        Ok(Completed {
            result,
            cached: false,
        })
    }

    /// Executes the action `key` again, whether or not it has a result, and from its beginning or from
    /// the end of `earlier`, the artifact of a shorter action: what an interrupted execution left is thrown
    /// away, and it goes on from no other result. The artifact is in the store then, and the result is not
    /// committed.
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
        let ended = self.perform(key, &lock, shorter.as_ref());
        let ended = ended.map(|(result, _)| result);
        self.store.clear_scratch(key)?;
        ended
    }

    /// Executes the action under its lock and puts its artifact into the store. A request to stop
    /// waits for the worker, and then until what is given beside the result is dropped.
    fn perform(
        &self,
        key: ActionKey,
        lock: &ActionLock,
        shorter: Option<&Shorter>,
    ) -> Result<(ActionResult, Work<'_>), Failure> {
        let action = self.store.action(key)?;
        let scratch = self.store.scratch(key)?;
        let (started_ms, clock) = (now_ms(), Instant::now());
        let log = Log::start(scratch.join(LOG))?;
        let work = self.cancel.begin_work();
        let mut command = self.command(key, &action, &scratch)?;
        if let Some(shorter) = shorter {
            command.args(["--continue-from", &shorter.artifact.to_string()]);
        }
        let ending = self.run_worker(command, &action, &log, lock)?;
        let containment = ending.reports.containment;
        let done = self.judge(ending, &action, &log)?;
        // Only reads, so that it can be broken off: what the worker left stays in the scratch folder.
        drop(work);
        check_inputs(self.store, &action)?;
        let work = self.cancel.begin_work();
        let files = collect(&scratch.join(OUT), done.outputs)
            .map_err(|reason| nonsense(&action, reason))?;
        let before = shorter.filter(|it| done.continued_from == Some(it.artifact));
        let before_ms = done.earlier_ms + before.map_or(0, |it| it.duration_ms);
        let epochs_before = before.map_or(&[][..], |it| &it.epoch_ms);
        let result = ActionResult {
            action: key,
            artifact: self.store.commit_artifact(files)?,
            started_ms,
            duration_ms: before_ms + clock.elapsed().as_millis() as u64,
            peak_memory: done.peak_memory,
            threads: self.compute_threads(&action),
            card: self.card.map(|card| card.name.clone()),
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

    fn run_worker(
        &self,
        mut command: Command,
        action: &Action,
        log: &Log,
        lock: &ActionLock,
    ) -> Result<Ending, Failure> {
        command
            // The worker holds the lock too: killing the supervisor alone must not free it.
            .stdin(Stdio::from(lock.try_clone_file()?))
            .stdout(Stdio::piped())
            .stderr(log.writer()?)
            // Ctrl-C in a terminal goes to the whole group: the worker is asked by us alone.
            .process_group(0);
        let mut child = command.spawn().map_err(Failure::Start)?;
        let pid = Pid::from_child(&child);
        self.cancel.watch(pid, manner(action.kind));
        let pipe = child.stdout.take();
        let (ends, ended) = channel();
        thread::scope(|scope| {
            let limited = !self.limits.is_empty();
            let (limits, cancel) = (self.limits, self.cancel);
            let watcher = limited.then(|| scope.spawn(move || watch(pid, limits, cancel, &ended)));
            let reports = pipe.map_or(Ok(Reports::default()), |pipe| listen(pipe, self.observe));
            if reports.is_err() {
                // It talks nonsense, so it cannot be trusted to end by itself.
                self.cancel.kill(pid);
            }
            let status = wait(&mut child, pid, self.cancel);
            drop(ends);
            let limit = watcher.and_then(|watcher| watcher.join().unwrap_or(None));
            Ok(Ending {
                // A worker that is killed may be cut off in the middle of a line.
                reports: match reports {
                    Err(_) if limit.is_some() => Reports::default(),
                    reports => reports.map_err(|reason| nonsense(action, reason.to_owned()))?,
                },
                status: status.map_err(Failure::Start)?,
                limit,
            })
        })
    }

    /// The worker's command line and variables.
    fn command(&self, key: ActionKey, action: &Action, scratch: &Path) -> Result<Command, Failure> {
        let mut command = Command::new(own_executable().map_err(Failure::Start)?);
        command
            .arg0("pipeline")
            .args(["exec", &key.to_string(), "--store"])
            .arg(self.store.root())
            .arg("--scratch")
            .arg(scratch)
            .args(["--threads", &self.threads.to_string()]);
        if let Some(data_dir) = self.data_dir {
            command.arg("--data-dir").arg(data_dir);
        }
        if let Some(memory) = self.limits.memory {
            command.args(["--memory", &format!("{memory} B")]);
        }
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
        Ok(command)
    }

    /// The worker's report of its outputs if it ended well, else the failure.
    fn judge(&self, ending: Ending, action: &Action, log: &Log) -> Result<Done, Failure> {
        let plugin = action.plugin.as_ref().map(|pin| pin.name.clone());
        let limit = ending.limit.or_else(|| self.refused_memory(&ending, log));
        if let Some(limit) = limit {
            return Err(Failure::Limit {
                limit,
                plugin,
                log: log.last_lines(),
            });
        }
        let trouble = self.card_trouble(&ending, log);
        let failure = match ending.reports.last {
            Some(Report::Done(done)) if ending.status.success() => return Ok(done),
            Some(Report::Cancelled) => return Err(Failure::Cancelled),
            _ if self.cancel.is_requested() => return Err(Failure::Cancelled),
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
                how: describe(ending.status),
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
            None => ending.status.signal() == Some(SIGABRT) && is_out_of_memory(&log.text()),
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

fn manner(kind: StageKind) -> Manner {
    if Kind::of(kind).keeps_progress {
        Manner::Gently
    } else {
        Manner::AtOnce
    }
}

const LOG: &str = "log.txt";
/// How long to wait before another look at a lock.
pub(crate) const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// The end of the log of an execution that gave no result, as long as its scratch folder is there.
pub fn failed_log(store: &Store, key: ActionKey) -> Option<Vec<u8>> {
    let path = store.scratch(key).ok()?.join(LOG);
    Log::of_file(assay_files::open(&path).ok()?, path)
        .end()
        .ok()
}

/// How a worker ended.
struct Ending {
    reports: Reports,
    status: ExitStatus,
    /// The limit that it was ended for.
    limit: Option<Limit>,
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

/// Waits for the worker, outside the cancel registry's lock until it is there to be reaped.
fn wait(child: &mut Child, pid: Pid, cancel: &Cancel) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = cancel.reap_if_ended(pid, || child.try_wait())? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("an unknown signal");
            format!("was ended by {name} (signal {signal})")
        }
        (None, Some(code)) => format!("exited with code {code} without reporting a result"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
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
