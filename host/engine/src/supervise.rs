//! Executes one action: takes its lock, starts a worker, watches it, and commits what it leaves.
//!
//! A worker that panics, aborts, is killed or talks nonsense becomes a [`Failure`] that names
//! the action and its plugin; the store is touched only after the worker has ended well.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use assay_core::{Action, ActionKey, ActionResult, ObjectHash};
use assay_store::{ActionLock, Store, StoreError};
use rustix::process::Pid;

use crate::cancel::Cancel;
use crate::environment::variables;
use crate::event::{Done, Event, Output, Progress};
use crate::worker::OUT;

/// The end of an execution that gave an artifact.
#[derive(Clone, Debug)]
pub struct Completed {
    /// The result.
    pub result: ActionResult,
    /// Whether somebody else had it ready once the action's lock was free.
    pub cached: bool,
}

/// Why an execution gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The run was asked to stop; what was done so far is kept.
    #[error("stopped")]
    Cancelled,
    /// The worker reported an error.
    #[error("{message}")]
    Stage {
        /// What happened.
        message: String,
        /// What to do next; may be empty.
        help: String,
        /// The causes, outermost first.
        chain: Vec<String>,
        /// The last lines of the worker's log.
        log: Vec<String>,
    },
    /// The worker ended without a word.
    #[error("the worker {how}{}", plugin.as_ref().map(|name| format!(" while it ran the plugin `{name}`")).unwrap_or_default())]
    Died {
        /// How it ended.
        how: String,
        /// The plugin it had loaded.
        plugin: Option<String>,
        /// The last lines of the worker's log.
        log: Vec<String>,
    },
    /// The worker's reports or files are not what they must be.
    #[error("the worker's outputs cannot be taken: {0}")]
    Protocol(String),
    /// Something the action reads changed while it ran.
    #[error("an input changed while the action ran: {0}")]
    InputChanged(StoreError),
    /// The worker could not be started.
    #[error("cannot start a worker")]
    Start(#[source] io::Error),
    /// The worker's files could not be handled.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A line of events may not be longer.
const LONGEST_LINE: u64 = 1 << 20;
/// How much of a log is kept.
const LONGEST_LOG: u64 = 1 << 20;
/// How many lines of a log an error shows.
const LOG_LINES: usize = 12;

/// What an execution needs beside its action.
#[derive(Clone, Copy)]
pub struct Execution<'a> {
    /// Where the action is, and where its result goes.
    pub store: &'a Store,
    /// Where the user keeps datasets.
    pub data_dir: Option<&'a Path>,
    /// How many processors the host's own work may use; it decides nothing.
    pub threads: usize,
    /// Asks it to stop.
    pub cancel: &'a Cancel,
    /// Is told how far it is.
    pub observe: &'a dyn Fn(Progress),
}

impl Execution<'_> {
    /// Executes the action `key`, which the store already holds, and commits its result. If
    /// another process executes it right now, waits for that one's result instead.
    ///
    /// # Errors
    /// See [`Failure`]; the store is as it was, and what can be resumed lies in the scratch
    /// folder.
    pub fn execute(&self, key: ActionKey) -> Result<Completed, Failure> {
        let Some(lock) = self.take_lock(key)? else {
            return Err(Failure::Cancelled);
        };
        if let Some(result) = self.store.cached(key)? {
            return Ok(Completed {
                result,
                cached: true,
            });
        }
        let action = self.store.action(key)?;
        let scratch = self.store.scratch(key)?;
        let (started_ms, clock) = (now_ms(), Instant::now());
        let ending = self.run_worker(key, &action, &scratch, &lock)?;
        let log = scratch.join(LOG);
        let done = self.judge(ending, &action, &log)?;
        check_inputs(self.store, &action)?;
        let files = collect(&scratch.join(OUT), done.outputs)?;
        let result = ActionResult {
            action: key,
            artifact: self.store.commit_artifact(files)?,
            started_ms,
            duration_ms: done.earlier_ms + clock.elapsed().as_millis() as u64,
            peak_memory: done.peak_memory,
            host: host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log: store_log(self.store, &log)?,
        };
        self.store.commit_result(&result)?;
        self.store.clear_scratch(key)?;
        Ok(Completed {
            result,
            cached: false,
        })
    }

    /// Waits for the lock in steps, so that a request to stop is heard.
    fn take_lock(&self, key: ActionKey) -> Result<Option<ActionLock>, StoreError> {
        while !self.cancel.is_requested() {
            if let Some(lock) = self.store.lock_action(key, false)? {
                return Ok(Some(lock));
            }
            std::thread::sleep(LOCK_INTERVAL);
        }
        Ok(None)
    }

    fn run_worker(
        &self,
        key: ActionKey,
        action: &Action,
        scratch: &Path,
        lock: &ActionLock,
    ) -> Result<Ending, Failure> {
        let log_path = scratch.join(LOG);
        let log = File::create(&log_path).map_err(|source| Failure::File {
            what: "write the log",
            path: log_path,
            source,
        })?;
        let mut command = Command::new(own_executable().map_err(Failure::Start)?);
        command
            .arg0("pipeline")
            .args(["exec", &key.to_string(), "--store"])
            .arg(self.store.root())
            .arg("--scratch")
            .arg(scratch)
            .args(["--threads", &self.threads.to_string()])
            // The worker holds the lock too: killing the supervisor alone must not free it.
            .stdin(Stdio::from(lock.try_clone_file()?))
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C in a terminal goes to the whole group: the worker is asked by us alone.
            .process_group(0);
        if let Some(data_dir) = self.data_dir {
            command.arg("--data-dir").arg(data_dir);
        }
        if let Some(environment) = &action.environment {
            command.envs(variables(environment));
        }
        let mut child = command.spawn().map_err(Failure::Start)?;
        let pid = Pid::from_child(&child);
        self.cancel.watch(pid);
        let last = listen(&mut child, self.observe);
        if last.is_err() {
            // It talks nonsense, so it cannot be trusted to end by itself.
            let _ = child.kill();
        }
        let status = wait(&mut child, pid, self.cancel).map_err(Failure::Start)?;
        Ok(Ending {
            last: last?,
            status,
        })
    }

    /// What a worker left, if it ended well.
    fn judge(&self, ending: Ending, action: &Action, log: &Path) -> Result<Done, Failure> {
        match ending.last {
            Some(Event::Done(done)) if ending.status.success() => Ok(done),
            Some(Event::Cancelled) => Err(Failure::Cancelled),
            _ if self.cancel.is_requested() => Err(Failure::Cancelled),
            Some(Event::Failed {
                message,
                help,
                chain,
            }) => Err(Failure::Stage {
                message,
                help,
                chain,
                log: last_lines(log),
            }),
            _ => Err(Failure::Died {
                how: describe(ending.status),
                plugin: action.plugin.as_ref().map(|pin| pin.name.clone()),
                log: last_lines(log),
            }),
        }
    }
}

const LOG: &str = "log.txt";
/// How long to wait before another look at a lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// How a worker ended.
struct Ending {
    /// The last event that was not progress.
    last: Option<Event>,
    status: ExitStatus,
}

/// The name of this machine.
pub(crate) fn host_name() -> String {
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
fn own_executable() -> io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        Ok(link)
    } else {
        std::env::current_exe()
    }
}

/// Reads events until the worker closes its pipe.
fn listen(child: &mut Child, observe: &dyn Fn(Progress)) -> Result<Option<Event>, Failure> {
    let Some(pipe) = child.stdout.take() else {
        return Ok(None);
    };
    let mut pipe = BufReader::new(pipe);
    let mut last = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = pipe
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line);
        match read {
            Ok(0) | Err(_) => return Ok(last),
            Ok(_) if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE => {
                return Err(Failure::Protocol(
                    "a report is longer than 1 MiB".to_owned(),
                ));
            }
            Ok(_) => match serde_json::from_slice(&line) {
                Ok(Event::Progress(progress)) => observe(progress),
                Ok(event) => last = Some(event),
                Err(_) => {
                    return Err(Failure::Protocol(
                        "a report is not of this version".to_owned(),
                    ));
                }
            },
        }
    }
}

/// Waits for the worker, outside the cancel registry's lock until it is there to be reaped.
fn wait(child: &mut Child, pid: Pid, cancel: &Cancel) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = cancel.reap_if_ended(pid, || child.try_wait())? {
            return Ok(status);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
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

/// The files that the worker says it left, each checked to be an ordinary file in its folder.
fn collect(
    out: &Path,
    outputs: Vec<Output>,
) -> Result<BTreeMap<String, (PathBuf, String)>, Failure> {
    let mut files = BTreeMap::new();
    for output in outputs {
        let path = out.join(&output.name);
        let plain = path.parent() == Some(out) && path.file_name().is_some();
        let ordinary = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
        if !plain || !ordinary {
            return Err(Failure::Protocol(format!(
                "`{}` is not an ordinary file",
                output.name
            )));
        }
        files.insert(output.name, (path, output.media_type));
    }
    Ok(files)
}

fn store_log(store: &Store, path: &Path) -> Result<Option<ObjectHash>, Failure> {
    let log = read_end(path).map_err(|source| Failure::File {
        what: "read the log",
        path: path.to_owned(),
        source,
    })?;
    if log.is_empty() {
        Ok(None)
    } else {
        Ok(Some(store.put_bytes(&log)?))
    }
}

/// The end of a log, which may be of any length.
fn read_end(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_LOG)))?;
    let mut log = Vec::new();
    file.take(LONGEST_LOG).read_to_end(&mut log)?;
    Ok(log)
}

fn last_lines(log: &Path) -> Vec<String> {
    let log = read_end(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&log);
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.chars().take(400).collect())
        .collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
}
