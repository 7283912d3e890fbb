//! The worker: executes one action in a process of its own and leaves its files in a scratch
//! folder. It commits nothing; whatever a plugin does here costs this action and no more.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use assay_core::{Action, ActionKey, Advice, ArtifactHash, Limits, ObjectHash, PluginPin};
use assay_files::room_advice;
use assay_store::{Store, StoreError};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};
use signal_hook::consts::SIGTERM;

use crate::containment::{ContainError, Places, contain};
use crate::environment::is_on_card;
use crate::error::causes;
use crate::event::{Done, Report, Reporter};
use crate::log::note;
use crate::stages::{self, Context, Kind, Shorter, StageError};

/// The folder below the scratch folder that outputs go to.
pub(crate) const OUT: &str = "out";
/// The folder below the scratch folder that temporary files go to.
pub(crate) const TEMPORARY: &str = "tmp";

/// Arguments of a worker; its action lies in the store.
#[derive(Clone, Debug)]
pub struct WorkerArguments {
    /// The action to execute.
    pub key: ActionKey,
    /// The store that has the action and its inputs.
    pub store: PathBuf,
    /// The scratch folder to work in.
    pub scratch: PathBuf,
    /// Where the user keeps datasets.
    pub data_dir: Option<PathBuf>,
    /// How many processors the host's own work may use; it decides nothing.
    pub threads: usize,
    /// Resource limits of the worker.
    pub limits: Limits,
    /// A portable action computes on a card.
    pub on_card: bool,
    /// The artifact of the same training with fewer epochs, to go on from.
    pub continue_from: Option<ArtifactHash>,
}

/// Executes one action and tells the supervisor, on what was standard output, how it went.
pub fn run_worker(arguments: &WorkerArguments) -> ExitCode {
    let reporter = match take_over() {
        Ok(reporter) => Arc::new(reporter),
        Err(error) => {
            note(&format!("cannot set up the worker: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match execute(arguments, &reporter) {
        Ok(done) => {
            reporter.send(&done);
            ExitCode::SUCCESS
        }
        Err(WorkerError::Stage(StageError::Cancelled)) => {
            reporter.send(&Report::Cancelled);
            ExitCode::FAILURE
        }
        Err(error) => {
            let event = Report::Failed {
                message: error.to_string(),
                help: error.help().into_owned(),
                chain: causes(&error).map(ToString::to_string).collect(),
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
    #[error(transparent)]
    Contain(#[from] ContainError),
}

impl Advice for WorkerError {
    /// That of the error, or else on making room, where the lack of it is a cause.
    fn help(&self) -> Cow<'_, str> {
        let own = match self {
            Self::Stage(error) => error.help(),
            Self::Library { .. } => {
                "run the pipeline again: it copies the library from its file anew".into()
            }
            Self::Store(_) | Self::Scratch { .. } | Self::Signal(_) | Self::Contain(_) => "".into(),
        };
        if !own.is_empty() {
            return own;
        }
        let errors = causes(self).filter_map(|cause| cause.downcast_ref::<io::Error>());
        let mut advice = errors.map(room_advice).filter(|advice| !advice.is_empty());
        advice.next().unwrap_or_default().into()
    }
}

/// Keeps the pipe to the supervisor for events alone, and the lock from being read as input:
/// whatever a plugin prints goes to the log, and it reads nothing.
fn take_over() -> io::Result<Reporter> {
    // The lock and the pipe live as long as this process; it must not outlive its supervisor.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let lock = rustix::io::fcntl_dupfd_cloexec(stdin(), 3)?;
    dup2_stdin(File::open("/dev/null")?)?;
    let _open_for_ever = lock.into_raw_fd();
    let pipe = File::from(rustix::io::fcntl_dupfd_cloexec(stdout(), 3)?);
    dup2_stdout(stderr())?;
    Ok(Reporter::new(pipe))
}

fn execute(arguments: &WorkerArguments, reporter: &Arc<Reporter>) -> Result<Report, WorkerError> {
    let store = Store::open_existing(&arguments.store)?;
    let action = store.action(arguments.key)?;
    let objects = Objects::of(&action, &store, arguments.continue_from)?;
    let sources = store.source_hashes();
    let out = arguments.scratch.join(OUT);
    for folder in [&out, &arguments.scratch.join(TEMPORARY)] {
        empty(folder).map_err(|source| WorkerError::Scratch {
            path: folder.clone(),
            source,
        })?;
    }
    // From here on this process can reach nothing but what it is about to read.
    let on_card = arguments.on_card || is_on_card(action.environment.as_ref());
    let places = objects.places(&store, &arguments.scratch, on_card);
    let reached = contain(Kind::of(action.kind).profile, &places, arguments.limits)?;
    reporter.send(&Report::Contained(reached));
    let shorter = objects.verified_shorter(&store);
    let (inputs, plugin) = objects.verified(&store)?;
    // Until here a request to stop ends the process as it ends any other.
    let cancelled = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&cancelled)).map_err(WorkerError::Signal)?;
    let context = Context {
        action,
        inputs,
        plugin,
        shorter,
        out,
        scratch: arguments.scratch.clone(),
        data_dir: arguments.data_dir.clone(),
        threads: arguments.threads,
        on_card: arguments.on_card,
        sources: Mutex::new(sources),
        reporter: Arc::clone(reporter),
        cancelled,
    };
    let outputs = stages::run(&context)?;
    Ok(Report::Done(Done {
        outputs: outputs.files,
        peak_memory: peak_memory(),
        earlier_ms: outputs.earlier_ms,
        continued_from: outputs.continued_from,
        epoch_ms: outputs.epoch_ms,
        multiply_adds: outputs.multiply_adds,
    }))
}

/// The objects that an action reads, listed before any is read.
struct Objects {
    /// By role and name.
    inputs: BTreeMap<String, BTreeMap<String, ObjectHash>>,
    plugin: Option<PluginPin>,
    /// The artifact of a shorter training with its files by name.
    shorter: Option<(ArtifactHash, BTreeMap<String, ObjectHash>)>,
}

/// The files of each input by role and name, and the plugin's library.
type Verified = (BTreeMap<String, BTreeMap<String, PathBuf>>, Option<PathBuf>);

impl Objects {
    fn of(
        action: &Action,
        store: &Store,
        shorter: Option<ArtifactHash>,
    ) -> Result<Self, StoreError> {
        let files = |artifact| -> Result<BTreeMap<_, _>, StoreError> {
            let files = store.artifact(artifact)?.files.into_iter();
            Ok(files.map(|(name, file)| (name, file.object)).collect())
        };
        let mut inputs = BTreeMap::new();
        for (role, artifact) in &action.inputs {
            inputs.insert(role.clone(), files(*artifact)?);
        }
        // Without it the training takes longer, and that is all.
        let shorter = shorter.and_then(|artifact| Some((artifact, files(artifact).ok()?)));
        let plugin = action.plugin.clone();
        Ok(Self {
            inputs,
            plugin,
            shorter,
        })
    }

    fn places(&self, store: &Store, scratch: &Path, cuda: bool) -> Places {
        let shorter = self.shorter.iter().flat_map(|(_, files)| files.values());
        let inputs = self.inputs.values().flat_map(BTreeMap::values);
        let inputs = inputs.chain(shorter);
        Places {
            scratch: scratch.to_owned(),
            inputs: inputs.map(|&object| store.object_path(object)).collect(),
            plugin: self
                .plugin
                .as_ref()
                .map(|pin| store.object_path(pin.hash.into())),
            cuda,
        }
    }

    /// The files of the shorter training, if their bytes are right.
    fn verified_shorter(&self, store: &Store) -> Option<Shorter> {
        let (artifact, files) = self.shorter.as_ref()?;
        let files = files.iter().map(|(name, object)| {
            store.verify(*object)?;
            Ok::<_, StoreError>((name.clone(), store.object_path(*object)))
        });
        Some(Shorter {
            artifact: *artifact,
            files: files.collect::<Result<_, _>>().ok()?,
        })
    }

    /// The same as files whose bytes were checked.
    fn verified(self, store: &Store) -> Result<Verified, WorkerError> {
        let verify = |object| {
            store.verify(object)?;
            Ok::<_, StoreError>(store.object_path(object))
        };
        let mut inputs = BTreeMap::new();
        for (role, files) in self.inputs {
            let files = files.into_iter();
            let files = files.map(|(name, object)| Ok((name, verify(object)?)));
            inputs.insert(role, files.collect::<Result<_, StoreError>>()?);
        }
        let library = |pin: PluginPin| {
            verify(pin.hash.into()).map_err(|source| WorkerError::Library {
                name: pin.name,
                source,
            })
        };
        Ok((inputs, self.plugin.map(library).transpose()?))
    }
}

fn empty(folder: &Path) -> io::Result<()> {
    assay_files::remove(folder)?;
    fs::create_dir_all(folder)
}

/// The most memory this process held, in bytes; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
