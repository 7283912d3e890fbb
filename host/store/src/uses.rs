//! What the processes at work on a store rely on, so that a garbage collection beside them loses
//! nothing. It owns the gate that keeps the two apart, and the list that each process keeps.
//!
//! # The protocol
//! Whoever relies on something in the store (an object that was there already, the results of an
//! action) notes it in a list of its own, `uses/<random>`, while it holds the gate, `locks/gc`,
//! shared. It holds the gate for that moment only, never through an execution. A collection holds
//! the gate alone from its first look to its last removal: what it does not find in the list of a
//! living process, no process relies on, and whoever comes later looks at what is left.
//!
//! What is noted is written just before the gate is given up. Where it cannot be written (the disk
//! is full, or the store may only be read) the gate is not given up as long as the process lives:
//! then nothing is collected beside it.
//!
//! A list is locked as long as its process lives, and the gate is a lock too. Both end with their
//! processes, so nothing is left behind that anyone would have to clear.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use assay_core::{ActionKey, ObjectHash};

use crate::disk;
use crate::error::{At, StoreError, is_forbidden};
use crate::store::{Part, Store};

/// The gate's name among the locks, which are otherwise named by actions.
pub(crate) const GATE: &str = "gc";

/// How long a collection waits before it tries the gate again.
const GATE_INTERVAL: Duration = Duration::from_millis(5);

/// More than any list has.
const LIST_LIMIT: u64 = 4 << 30;

/// Something that a process relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Use {
    /// An action: its document, what it reads and all that its executions gave.
    Action(ActionKey),
    /// The bytes of an object.
    Object(ObjectHash),
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(key) => write!(f, "action {key}"),
            Self::Object(object) => write!(f, "object {object}"),
        }
    }
}

impl Use {
    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ')? {
            ("action", key) => key.parse().ok().map(Self::Action),
            ("object", object) => object.parse().ok().map(Self::Object),
            _ => None,
        }
    }
}

/// What the handles on one store in one process share.
#[derive(Debug)]
pub(crate) struct Uses {
    /// Where the lists lie.
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    holds: usize,
    /// Locked, shared, while there are holds. `None` where there is no gate and none can be made:
    /// in a store that may only be read, which nobody collects in either.
    gate: Option<File>,
    list: Option<List>,
    noted: HashSet<Use>,
    /// The lines of what was noted and is not in the list yet.
    unwritten: String,
}

/// The list of this process. It goes away with it.
#[derive(Debug)]
struct List {
    file: File,
    path: PathBuf,
}

impl Drop for List {
    fn drop(&mut self) {
        // A collection removes what is left here.
        let _ = fs::remove_file(&self.path);
    }
}

impl Uses {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes what was noted to the list.
    fn write(&mut self, folder: &Path) -> Result<(), StoreError> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let list = match &mut self.list {
            Some(list) => list,
            none => none.insert(List::new(folder)?),
        };
        let written = list.file.write_all(self.unwritten.as_bytes());
        // A line may be there in part, so what is written after this begins anew.
        self.unwritten.insert(0, '\n');
        written.at("write", &list.path)?;
        self.unwritten.clear();
        Ok(())
    }
}

impl List {
    /// Made and locked while the gate is held, so that no collection takes it for a dead one's.
    fn new(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).at("create the folder", folder)?;
        let created = tempfile::Builder::new()
            .prefix("")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(folder);
        let created = created.at("create a list of what is used in", folder)?;
        let list = created.keep().map_err(|kept| kept.error);
        let (file, path) = list.at("create a list of what is used in", folder)?;
        let list = Self { file, path };
        // Whoever looks at the lists without closing the store may have it for a moment.
        retry(|| list.file.lock()).at("lock", &list.path)?;
        Ok(list)
    }
}

/// While one of these lives, no garbage is collected. It is meant for moments.
#[derive(Debug)]
pub struct Hold {
    uses: Arc<Uses>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.uses.state();
        // What cannot be written is held for good: see the protocol.
        if state.holds == 1 && state.write(&self.uses.folder).is_err() {
            return;
        }
        state.holds -= 1;
        if state.holds == 0 {
            // Closing the file gives up the lock, whatever becomes of this call.
            let unlocked = state.gate.as_ref().map(File::unlock);
            if unlocked.is_some_and(|unlocked| unlocked.is_err()) {
                state.gate = None;
            }
        }
    }
}

/// What the lists of all processes say.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// What living processes rely on.
    pub(crate) living: HashSet<Use>,
    /// The lists of processes that have ended.
    pub(crate) dead: Vec<PathBuf>,
}

/// The store, for one process alone: nobody notes anything while this lives.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Locked; closing it opens the gate.
    _gate: File,
}

impl Store {
    /// Keeps garbage collection away for as long as the returned value lives: for whoever reads
    /// many documents and wants them all to be there. It waits for a collection that is under way.
    ///
    /// # Errors
    /// The gate cannot be made or locked.
    pub fn hold(&self) -> Result<Hold, StoreError> {
        let mut state = self.uses.state();
        if state.holds == 0 {
            if state.gate.is_none() {
                state.gate = self.open_gate()?;
            }
            if let Some(gate) = &state.gate {
                let path = self.gate_path();
                retry(|| gate.lock_shared()).at("lock", &path)?;
            }
        }
        state.holds += 1;
        let uses = Arc::clone(&self.uses);
        Ok(Hold { uses })
    }

    /// Notes that this process relies on something, which it has seen while `_hold` was held.
    pub(crate) fn note(&self, _hold: &Hold, using: Use) {
        let mut state = self.uses.state();
        if state.noted.insert(using) {
            // Writing to a string cannot fail.
            let _ = writeln!(state.unwritten, "{using}");
        }
    }

    /// Closes the store to all others, and waits for that.
    pub(crate) fn close(&self) -> Result<Closed, StoreError> {
        let path = self.gate_path();
        let gate = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .at("create the lock", &path)?;
        loop {
            match retry(|| gate.try_lock().map_err(would_block)) {
                Ok(()) => return Ok(Closed { _gate: gate }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(GATE_INTERVAL);
                }
                Err(error) => return Err(error).at("lock", &path),
            }
        }
    }

    /// What the lists say. What a process notes after this is not in it, unless the store is
    /// closed.
    pub(crate) fn uses(&self) -> Result<Lists, StoreError> {
        let folder = &self.uses.folder;
        let mut lists = Lists::default();
        // A store of an earlier version has no such folder.
        let paths = present(disk::entries(folder))?;
        for path in paths.unwrap_or_default() {
            // A process that ends removes its list.
            let Some(file) = present(disk::open(&path, false))? else {
                continue;
            };
            if is_locked(&file.0, &path)? {
                let Some(bytes) = present(disk::read(&path, LIST_LIMIT))? else {
                    continue;
                };
                let text = String::from_utf8_lossy(&bytes);
                lists.living.extend(text.lines().filter_map(Use::parse));
            } else {
                lists.dead.push(path);
            }
        }
        Ok(lists)
    }

    fn gate_path(&self) -> PathBuf {
        self.part(Part::Locks).join(GATE)
    }

    /// Opens the gate, which is made by whoever first may.
    fn open_gate(&self) -> Result<Option<File>, StoreError> {
        let path = self.gate_path();
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.at("open the lock", &path).map(Some),
        }
        let created = OpenOptions::new().create(true).append(true).open(&path);
        match created.at("create the lock", &path) {
            Err(error) if forbids(&error) || is_absent(&error) => Ok(None),
            created => created.map(Some),
        }
    }
}

/// Whether another open file has the lock of this one.
pub(crate) fn is_locked(file: &File, path: &Path) -> Result<bool, StoreError> {
    match retry(|| file.try_lock_shared().map_err(would_block)) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error).at("look at the lock", path),
    }
}

pub(crate) fn would_block(error: TryLockError) -> io::Error {
    match error {
        TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        TryLockError::Error(error) => error,
    }
}

pub(crate) fn retry(mut lock: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}

/// What was read, unless it is not there any more.
pub(crate) fn present<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(error) if is_absent(&error) => Ok(None),
        read => read.map(Some),
    }
}

fn is_absent(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn forbids(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if is_forbidden(source))
}
