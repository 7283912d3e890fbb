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
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use assay_core::{Action, ActionKey, ActionResult, ObjectHash};
use assay_store::{ActionLock, Store, StoreError};
use rustix::process::Pid;

use crate::cancel::Cancel;
use crate::environment::variables;
use crate::event::{Event, Output, Progress};
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

/// Executes the action `key`, which the store already holds, and commits its result. If another
/// process executes it right now, waits for that one's result instead.
///
/// # Errors
/// See [`Failure`]; the store is as it was, and what can be resumed lies in the scratch folder.
pub fn execute(
    store: &Store,
    key: ActionKey,
    data_dir: Option<&Path>,
    cancel: &Cancel,
    observe: &dyn Fn(Progress),
) -> Result<Completed, Failure> {
    let Some(lock) = take_lock(store, key, cancel)? else {
        return Err(Failure::Cancelled);
    };
    if let Some(result) = store.cached(key)? {
        return Ok(Completed {
            result,
            cached: true,
        });
    }
    let action = store.action(key)?;
    let scratch = store.scratch(key)?;
    let started_ms = now_ms();
    let clock = Instant::now();
    let ending = run_worker(
        store, key, &action, &scratch, &lock, data_dir, cancel, observe,
    )?;
    let log = scratch.join(LOG);
    let Ending { last, status } = ending;
    let (outputs, peak_memory, earlier_ms) = match last {
        Some(Event::Done {
            outputs,
            peak_memory,
            earlier_ms,
        }) if status.success() => (outputs, peak_memory, earlier_ms),
        Some(Event::Cancelled) => return Err(Failure::Cancelled),
        _ if cancel.is_requested() => return Err(Failure::Cancelled),
        Some(Event::Failed {
            message,
            help,
            chain,
        }) => {
            return Err(Failure::Stage {
                message,
                help,
                chain,
                log: last_lines(&log),
            });
        }
        _ => {
            return Err(Failure::Died {
                how: describe(status),
                plugin: action.plugin.map(|pin| pin.name),
                log: last_lines(&log),
            });
        }
    };
    check_inputs(store, &action)?;
    let artifact = store.commit_artifact(collect(&scratch.join(OUT), outputs)?)?;
    let result = ActionResult {
        action: key,
        artifact,
        started_ms,
        duration_ms: earlier_ms + clock.elapsed().as_millis() as u64,
        peak_memory,
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        log: store_log(store, &log)?,
    };
    store.commit_result(&result)?;
    store.clear_scratch(key)?;
    Ok(Completed {
        result,
        cached: false,
    })
}

/// Milliseconds since 1970 (UTC).
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as u64)
}

/// Waits for the lock in steps, so that a request to stop is heard.
fn take_lock(
    store: &Store,
    key: ActionKey,
    cancel: &Cancel,
) -> Result<Option<ActionLock>, StoreError> {
    loop {
        if cancel.is_requested() {
            return Ok(None);
        }
        if let Some(lock) = store.lock_action(key, false)? {
            return Ok(Some(lock));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

const LOG: &str = "log.txt";

/// How a worker ended.
struct Ending {
    /// The last event that was not progress.
    last: Option<Event>,
    status: ExitStatus,
}

#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
fn run_worker(
    store: &Store,
    key: ActionKey,
    action: &Action,
    scratch: &Path,
    lock: &ActionLock,
    data_dir: Option<&Path>,
    cancel: &Cancel,
    observe: &dyn Fn(Progress),
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
        .arg(store.root())
        .arg("--scratch")
        .arg(scratch)
        // The worker holds the lock too: killing the supervisor alone must not free it.
        .stdin(Stdio::from(lock.try_clone_file()?))
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C in a terminal goes to the whole group: the worker is asked by us alone.
        .process_group(0);
    if let Some(data_dir) = data_dir {
        command.arg("--data-dir").arg(data_dir);
    }
    if let Some(environment) = &action.environment {
        command.envs(variables(environment));
    }
    let mut child = command.spawn().map_err(Failure::Start)?;
    let pid = Pid::from_child(&child);
    cancel.watch(pid);
    let last = listen(&mut child, observe);
    if last.is_err() {
        // It talks nonsense, so it cannot be trusted to end by itself.
        let _ = child.kill();
    }
    let status = wait(&mut child, pid, cancel).map_err(Failure::Start)?;
    Ok(Ending {
        last: last?,
        status,
    })
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
