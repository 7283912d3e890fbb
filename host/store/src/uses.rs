//! Lists of the objects and actions that running processes rely on, so that a garbage collection
//! beside them removes none of these. Each process keeps its own list.
//!
//! # The protocol
//! Whoever relies on something in the store (an object that was there already, the results of an
//! action) notes it in a list of its own, `uses/<random>`, inside the [gate](crate::gate). It is
//! inside for that moment only, never through an execution. A collection has the gate closed from
//! its first look to its last removal: what it does not find in the list of a living process, no
//! process relies on, and whoever comes later looks at what is left.
//!
//! Notes are written to the list just before the process leaves the gate. Where they cannot be
//! written (the disk is full, or the store may only be read) the process stays inside as long as it
//! lives: then nothing is collected beside it.
//!
//! A list is locked as long as its process lives; the lock ends with the process.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assay_core::{ActionKey, ObjectHash};

use crate::disk;
use crate::error::{At, StoreError, present};
use crate::gate::{Closed, Gate, is_locked, retry};
use crate::store::{Part, Store};

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

/// State shared by the handles on one store in one process.
#[derive(Debug)]
pub(crate) struct Uses {
    /// Where the lists lie.
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    holds: usize,
    /// Entered while there are holds.
    gate: Option<Gate>,
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
        // Where it cannot be written, nobody leaves: see the protocol.
        if state.holds == 1 && state.write(&self.uses.folder).is_err() {
            return;
        }
        state.holds -= 1;
        if state.holds == 0 {
            // Closing the file gives up the lock, whatever becomes of this call.
            let left = state.gate.as_ref().map(Gate::leave);
            if left.is_some_and(|left| left.is_err()) {
                state.gate = None;
            }
        }
    }
}

/// Content of the lists of all processes.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Objects and actions that living processes rely on.
    pub(crate) living: HashSet<Use>,
    /// The lists of processes that have ended.
    pub(crate) dead: Vec<PathBuf>,
}

impl Store {
    /// Keeps garbage collection away for as long as the returned value lives: for whoever reads
    /// many documents and wants them all to be there. It waits for a collection that is under way.
    ///
    /// # Errors
    /// The gate cannot be locked.
    pub fn hold(&self) -> Result<Hold, StoreError> {
        let mut state = self.uses.state();
        if state.holds == 0 {
            if state.gate.is_none() {
                state.gate = Gate::open(&self.part(Part::Locks))?;
            }
            if let Some(gate) = &state.gate {
                gate.enter()?;
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
        Gate::close(&self.part(Part::Locks))
    }

    /// Reads the lists of all processes. Uses noted after this are missing from the result, unless
    /// the store is closed.
    pub(crate) fn uses(&self) -> Result<Lists, StoreError> {
        let folder = &self.uses.folder;
        let mut lists = Lists::default();
        // A store of an earlier version has no such folder.
        let paths = present(disk::entries(folder))?;
        for path in paths.unwrap_or_default() {
            // A process that ends removes its list.
            let Some(file) = disk::open_if_there(&path)? else {
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
}
