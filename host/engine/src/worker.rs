//! The worker: executes actions in a process of its own and leaves the files of each in its scratch folder. Mostly it
//! is one action; trainings that share a card may be several, on a thread each. It commits nothing; whatever a plugin
//! does here costs these actions and no more.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;

use assay_core::{
    Action, ActionKey, Advice, ArtifactHash, Containment, Limits, ObjectHash, PluginPin,
};
use assay_files::room_advice;
use assay_store::{SourceHashes, Store, StoreError};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::stdio::{dup2_stdin, stdin};
use signal_hook::consts::SIGTERM;

use crate::containment::{ContainError, Places, Profile, contain};
use crate::environment::is_on_card;
use crate::error::causes;
use crate::event::{Done, Report, Reporter};
use crate::handover::{Assigned, receive_all};
use crate::log::{note, note_to};
use crate::plugin::leave;
use crate::stages::{self, Context, Kind, Shorter, StageError};

/// The folder below the scratch folder that outputs go to.
pub(crate) const OUT: &str = "out";
/// The folder below the scratch folder that temporary files go to.
pub(crate) const TEMPORARY: &str = "tmp";

/// Arguments of a worker; its actions are handed over on its standard input.
#[derive(Clone, Debug)]
pub struct WorkerArguments {
    /// The process that started it.
    pub supervisor: u32,
    /// The store that has the actions and their inputs.
    pub store: PathBuf,
    /// Where the user keeps datasets.
    pub data_dir: Option<PathBuf>,
    /// How many processors the host's own work may use; it decides nothing.
    pub threads: usize,
    /// Resource limits of the worker.
    pub limits: Limits,
    /// The actions are portable and compute on a card.
    pub on_card: bool,
}

/// Executes the actions that are handed over, tells the supervisor of each how it went, and ends the process.
pub fn run_worker(arguments: &WorkerArguments) -> ! {
    let is_success = match take_over(arguments.supervisor) {
        Ok(assigned) => execute_all(arguments, assigned),
        Err(error) => {
            note(&format!("cannot set up the worker: {error}"));
            false
        }
    };
    leave(is_success)
}

/// Tells the supervisor how an action ended; true if it ended well.
fn report(reporter: &Reporter, ended: Result<Report, WorkerError>) -> bool {
    match ended {
        Ok(done) => {
            reporter.send(&done);
            true
        }
        Err(WorkerError::Stage(StageError::Cancelled)) => {
            reporter.send(&Report::Cancelled);
            false
        }
        Err(error) => {
            reporter.send(&Report::Failed {
                message: error.to_string(),
                help: error.help().into_owned(),
                chain: causes(&error).map(ToString::to_string).collect(),
            });
            false
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoStore(Arc<StoreError>),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error("the library of the plugin `{name}` is not the one that was planned with")]
    Library { name: String, source: StoreError },
    #[error("cannot prepare the scratch folder {}", path.display())]
    Scratch { path: PathBuf, source: io::Error },
    #[error("cannot listen for a request to stop")]
    Signal(#[source] io::Error),
    #[error(transparent)]
    Contain(Arc<ContainError>),
}

impl Advice for WorkerError {
    /// That of the error, or else on making room, where the lack of it is a cause.
    fn help(&self) -> Cow<'_, str> {
        let own = match self {
            Self::Stage(error) => error.help(),
            Self::Library { .. } => {
                "run the pipeline again: it copies the library from its file anew".into()
            }
            Self::Store(_)
            | Self::NoStore(_)
            | Self::Scratch { .. }
            | Self::Signal(_)
            | Self::Contain(_) => "".into(),
        };
        if !own.is_empty() {
            return own;
        }
        let errors = causes(self).filter_map(|cause| cause.downcast_ref::<io::Error>());
        let mut advice = errors.map(room_advice).filter(|advice| !advice.is_empty());
        advice.next().unwrap_or_default().into()
    }
}

/// Takes the actions, and leaves nothing to be read as input.
fn take_over(supervisor: u32) -> io::Result<Vec<Assigned>> {
    // The descriptors live as long as this process; it must not outlive its supervisor.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // That may have ended before it was to be told.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
    if parent.and_then(|parent| u32::try_from(parent).ok()) != Some(supervisor) {
        return Err(io::Error::other("the process that started it has ended"));
    }
    let assigned = receive_all(stdin())?;
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(assigned)
}

/// Executes the actions; true if all of them ended well.
fn execute_all(arguments: &WorkerArguments, assigned: Vec<Assigned>) -> bool {
    let mut all_well = true;
    let mut prepared = Vec::new();
    let store = Store::open_existing(&arguments.store).map_err(Arc::new);
    for Assigned {
        assignment,
        lock,
        reports,
        log,
    } in assigned
    {
        let reporter = Arc::new(Reporter::new(reports));
        let action = store
            .as_ref()
            .map_err(|error| WorkerError::NoStore(Arc::clone(error)))
            .and_then(|store| Prepared::new(store, assignment.key, assignment.continue_from));
        match action {
            Ok(action) => prepared.push((
                Member {
                    reporter,
                    lock,
                    log,
                },
                action,
            )),
            Err(error) => all_well &= report(&reporter, Err(error)),
        }
    }
    let Ok(store) = &store else {
        return false;
    };
    // From here on this process can reach nothing but what it is about to read.
    let reached = match contain_for(arguments, store, &prepared) {
        Ok(reached) => reached,
        Err(error) => {
            let error = Arc::new(error);
            for (member, _) in &prepared {
                report(
                    &member.reporter,
                    Err(WorkerError::Contain(Arc::clone(&error))),
                );
            }
            return false;
        }
    };
    let mut verified = HashSet::new();
    let mut contexts = Vec::new();
    for (member, action) in prepared {
        member.reporter.send(&Report::Contained(reached));
        match action.verified(arguments, store, &mut verified, &member.reporter) {
            Ok(context) => contexts.push((member, context)),
            Err(error) => all_well &= report(&member.reporter, Err(error)),
        }
    }
    all_well & execute_side_by_side(contexts)
}

/// Executes the actions, each on a thread of its own; true if all of them ended well.
fn execute_side_by_side(mut contexts: Vec<(Member, Context)>) -> bool {
    let Some((member, context)) = contexts.pop() else {
        return true;
    };
    if contexts.is_empty() {
        return member.execute(&context);
    }
    thread::scope(|scope| {
        let others: Vec<_> = contexts
            .into_iter()
            .map(|(member, context)| scope.spawn(move || or_abort(|| member.execute(&context))))
            .collect();
        let last = or_abort(|| member.execute(&context));
        // Its end of the pipe, which is the sign that it has ended, before the others do.
        drop(context);
        let ended = others
            .into_iter()
            .map(|other| other.join().is_ok_and(|it| it));
        ended.fold(last, |all, one| all & one)
    })
}

/// Executes one of several actions: as where there is one, a panic ends the process, whatever else it does.
fn or_abort(body: impl FnOnce() -> bool) -> bool {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| std::process::abort())
}

/// An action's end of what binds it to its supervisor. The lock is freed once it is done.
struct Member {
    reporter: Arc<Reporter>,
    lock: OwnedFd,
    log: File,
}

impl Member {
    /// Executes the action on this thread; true if it ended well.
    fn execute(self, context: &Context) -> bool {
        note_to(self.log);
        let outputs = stages::run(context);
        let ended = outputs.map(|outputs| {
            Report::Done(Done {
                outputs: outputs.files,
                peak_memory: peak_memory(),
                earlier_ms: outputs.earlier_ms,
                continued_from: outputs.continued_from,
                epoch_ms: outputs.epoch_ms,
                multiply_adds: outputs.multiply_adds,
            })
        });
        let is_well = report(&self.reporter, ended.map_err(WorkerError::from));
        drop(self.lock);
        is_well
    }
}

/// An action whose objects are known, and whose folders are empty.
struct Prepared {
    action: Action,
    objects: Objects,
    sources: SourceHashes,
    scratch: PathBuf,
}

impl Prepared {
    fn new(
        store: &Store,
        key: ActionKey,
        continue_from: Option<ArtifactHash>,
    ) -> Result<Self, WorkerError> {
        let action = store.action(key)?;
        let objects = Objects::of(&action, store, continue_from)?;
        let sources = store.source_hashes();
        let scratch = store.scratch(key)?;
        for folder in [scratch.join(OUT), scratch.join(TEMPORARY)] {
            empty(&folder).map_err(|source| WorkerError::Scratch {
                path: folder.clone(),
                source,
            })?;
        }
        Ok(Self {
            action,
            objects,
            sources,
            scratch,
        })
    }

    /// The context of a stage, with files whose bytes were checked; `verified` are those that were before.
    fn verified(
        self,
        arguments: &WorkerArguments,
        store: &Store,
        verified: &mut HashSet<ObjectHash>,
        reporter: &Arc<Reporter>,
    ) -> Result<Context, WorkerError> {
        let mut verify = |object| {
            if !verified.contains(&object) {
                store.verify(object)?;
                verified.insert(object);
            }
            Ok(store.object_path(object))
        };
        let shorter = self.objects.verified_shorter(&mut verify);
        let (inputs, plugin) = self.objects.verified(&mut verify)?;
        // Until here a request to stop ends the process as it ends any other.
        let cancelled = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGTERM, Arc::clone(&cancelled))
            .map_err(WorkerError::Signal)?;
        Ok(Context {
            action: self.action,
            inputs,
            plugin,
            shorter,
            out: self.scratch.join(OUT),
            scratch: self.scratch,
            data_dir: arguments.data_dir.clone(),
            threads: arguments.threads,
            on_card: arguments.on_card,
            sources: Mutex::new(self.sources),
            reporter: Arc::clone(reporter),
            cancelled,
        })
    }
}

/// Contains this process: it can reach what one of the actions needs.
fn contain_for(
    arguments: &WorkerArguments,
    store: &Store,
    prepared: &[(Member, Prepared)],
) -> Result<Containment, ContainError> {
    let mut places = Places::default();
    let mut profile = Profile::Sealed;
    for (_, action) in prepared {
        let on_card = is_on_card(action.action.environment.as_ref());
        places.cuda |= arguments.on_card || on_card;
        places.scratch.push(action.scratch.clone());
        action.objects.add_to(&mut places, store);
        // Only a stage that fetches and is the only one has another.
        profile = Kind::of(action.action.kind).profile;
    }
    contain(profile, &places, arguments.limits)
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

/// Checks the bytes of an object; gives its path.
trait Verify: FnMut(ObjectHash) -> Result<PathBuf, StoreError> {}

impl<F: FnMut(ObjectHash) -> Result<PathBuf, StoreError>> Verify for F {}

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

    /// Adds them to the places that a worker reads.
    fn add_to(&self, places: &mut Places, store: &Store) {
        let shorter = self.shorter.iter().flat_map(|(_, files)| files.values());
        let inputs = self.inputs.values().flat_map(BTreeMap::values);
        let objects = inputs.chain(shorter).copied();
        places
            .inputs
            .extend(objects.map(|object| store.object_path(object)));
        let plugin = self.plugin.as_ref();
        let plugin = plugin.map(|pin| store.object_path(pin.hash.into()));
        // All actions of a worker have the same.
        places.plugin = plugin.or(places.plugin.take());
    }

    /// The files of the shorter training, if their bytes are right.
    fn verified_shorter(&self, verify: &mut impl Verify) -> Option<Shorter> {
        let (artifact, files) = self.shorter.as_ref()?;
        let files = files.iter();
        let files = files.map(|(name, object)| Ok((name.clone(), verify(*object)?)));
        Some(Shorter {
            artifact: *artifact,
            files: files.collect::<Result<_, StoreError>>().ok()?,
        })
    }

    /// The same as files whose bytes were checked.
    fn verified(self, verify: &mut impl Verify) -> Result<Verified, WorkerError> {
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
