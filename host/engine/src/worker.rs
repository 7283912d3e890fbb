//! The worker: executes one action in a process of its own and leaves its files in a scratch
//! folder. It commits nothing; whatever a plugin does here costs this action and no more.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use assay_core::{ActionKey, ObjectHash, PluginPin};
use assay_store::{Store, StoreError};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::stdio::{dup2_stdout, stderr, stdout};
use signal_hook::consts::SIGTERM;

use crate::event::{Done, Event, Reporter};
use crate::stages::{self, Context, StageError};

/// The folder below the scratch folder that outputs go to.
pub(crate) const OUT: &str = "out";

/// What a worker is told, beside its action.
#[derive(Clone, Debug)]
pub struct WorkerArguments {
    /// The action to execute.
    pub key: ActionKey,
    /// The store that has the action and its inputs.
    pub store: PathBuf,
    /// Where to work.
    pub scratch: PathBuf,
    /// Where the user keeps datasets.
    pub data_dir: Option<PathBuf>,
    /// How many processors the host's own work may use; it decides nothing.
    pub threads: usize,
}

/// Executes one action and tells the supervisor, on what was standard output, how it went.
pub fn run_worker(arguments: &WorkerArguments) -> ExitCode {
    let reporter = match take_over() {
        Ok(reporter) => Arc::new(reporter),
        Err(error) => {
            eprintln!("cannot set up the worker: {error}");
            return ExitCode::FAILURE;
        }
    };
    match execute(arguments, &reporter) {
        Ok(done) => {
            reporter.send(&done);
            ExitCode::SUCCESS
        }
        Err(WorkerError::Stage(StageError::Cancelled)) => {
            reporter.send(&Event::Cancelled);
            ExitCode::FAILURE
        }
        Err(error) => {
            let help = match &error {
                WorkerError::Stage(error) => error.help(),
                WorkerError::Library { .. } => {
                    "run the pipeline again: it copies the library from its file anew".to_owned()
                }
                _ => String::new(),
            };
            let event = Event::Failed {
                message: error.to_string(),
                help,
                chain: chain(&error),
            };
            reporter.send(&event);
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error("the library of the plugin `{name}` is not the one that was planned with")]
    Library { name: String, source: StoreError },
    #[error("cannot prepare the scratch folder {}", path.display())]
    Scratch { path: PathBuf, source: io::Error },
    #[error("cannot listen for a request to stop")]
    Signal(#[source] io::Error),
}

/// Keeps the pipe to the supervisor for events alone: whatever a plugin prints goes to the log.
fn take_over() -> io::Result<Reporter> {
    // The lock and the pipe live as long as this process; it must not outlive its supervisor.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let pipe = File::from(rustix::io::fcntl_dupfd_cloexec(stdout(), 3)?);
    dup2_stdout(stderr())?;
    Ok(Reporter::new(pipe))
}

fn execute(arguments: &WorkerArguments, reporter: &Arc<Reporter>) -> Result<Event, WorkerError> {
    let cancelled = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&cancelled)).map_err(WorkerError::Signal)?;
    let store = Store::open_existing(&arguments.store)?;
    let action = store.action(arguments.key)?;
    let mut inputs = BTreeMap::new();
    for (role, artifact) in &action.inputs {
        let mut files = BTreeMap::new();
        for (name, file) in store.artifact(*artifact)?.files {
            files.insert(name, verified(&store, file.object)?);
        }
        inputs.insert(role.clone(), files);
    }
    let library = |pin: &PluginPin| {
        verified(&store, pin.hash.into()).map_err(|source| WorkerError::Library {
            name: pin.name.clone(),
            source,
        })
    };
    let plugin = action.plugin.as_ref().map(library).transpose()?;
    let out = arguments.scratch.join(OUT);
    empty(&out).map_err(|source| WorkerError::Scratch {
        path: out.clone(),
        source,
    })?;
    let context = Context {
        action,
        inputs,
        plugin,
        out: out.clone(),
        scratch: arguments.scratch.clone(),
        data_dir: arguments.data_dir.clone(),
        threads: arguments.threads,
        sources: Mutex::new(store.source_hashes()),
        reporter: Arc::clone(reporter),
        cancelled,
    };
    let outputs = stages::run(&context)?;
    Ok(Event::Done(Done {
        outputs: outputs.files,
        peak_memory: peak_memory(),
        earlier_ms: outputs.earlier_ms,
    }))
}

fn verified(store: &Store, object: ObjectHash) -> Result<PathBuf, StoreError> {
    store.verify(object)?;
    Ok(store.object_path(object))
}

fn empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

/// The most memory this process held, in bytes; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The causes of an error, outermost first.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes
}
