//! Leases of the objects and actions that running processes rely on, so that a garbage collection
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
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assay_core::graph::Node;

use crate::disk;
use crate::error::{At, StoreError, present};
use crate::gate::{Closed, Gate, is_locked, retry};
use crate::store::{Part, Store};

/// More than any list has.
const LIST_LIMIT: u64 = 4 << 30;

/// State shared by the handles on one store in one process.
#[derive(Debug)]
pub(crate) struct Leases {
    /// Where the lists lie.
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    guards: usize,
    /// Entered while there are guards.
    gate: Option<Gate>,
    list: Option<LeaseFile>,
    noted: HashSet<Node>,
    /// The lines of what was noted and is not in the list yet.
    unwritten: String,
}

/// The list of this process. It goes away with it.
#[derive(Debug)]
struct LeaseFile {
    file: File,
    path: PathBuf,
}

impl Drop for LeaseFile {
    fn drop(&mut self) {
        // A collection removes what is left here.
        let _ = fs::remove_file(&self.path);
    }
}

impl Leases {
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
            none => none.insert(LeaseFile::new(folder)?),
        };
        let written = list.file.write_all(self.unwritten.as_bytes());
        written.at("write", &list.path)?;
        self.unwritten.clear();
        Ok(())
    }
}

impl LeaseFile {
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
pub struct GcGuard {
    leases: Arc<Leases>,
}

impl Drop for GcGuard {
    fn drop(&mut self) {
        let mut state = self.leases.state();
        // Where it cannot be written, nobody leaves: see the protocol.
        if state.guards == 1 && state.write(&self.leases.folder).is_err() {
            return;
        }
        state.guards -= 1;
        if state.guards == 0 {
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
pub(crate) struct LeasedNodes {
    /// Objects and actions that living processes rely on.
    pub(crate) living: HashSet<Node>,
    /// The lists of processes that have ended.
    pub(crate) dead: Vec<PathBuf>,
}

impl Store {
    /// Keeps garbage collection away for as long as the returned value lives: for whoever reads
    /// many documents and wants them all to be there. It waits for a collection that is under way.
    ///
    /// # Errors
    /// The gate cannot be locked.
    pub fn hold(&self) -> Result<GcGuard, StoreError> {
        let mut state = self.leases.state();
        if state.guards == 0 {
            if state.gate.is_none() {
                state.gate = Gate::open(&self.part(Part::Locks))?;
            }
            if let Some(gate) = &state.gate {
                gate.enter()?;
            }
        }
        state.guards += 1;
        let leases = Arc::clone(&self.leases);
        Ok(GcGuard { leases })
    }

    /// Notes that this process relies on something, which it has seen while `_guard` was held.
    pub(crate) fn note(&self, _guard: &GcGuard, node: Node) {
        let mut state = self.leases.state();
        if state.noted.insert(node) {
            // Writing to a string cannot fail.
            let _ = writeln!(state.unwritten, "{node}");
        }
    }

    /// Closes the store to all others, and waits for that.
    pub(crate) fn close(&self) -> Result<Closed, StoreError> {
        Gate::close(&self.part(Part::Locks))
    }

    /// Reads the lists of all processes. Leases noted after this are missing from the result, unless
    /// the store is closed.
    pub(crate) fn leases(&self) -> Result<LeasedNodes, StoreError> {
        let folder = &self.leases.folder;
        let mut lists = LeasedNodes::default();
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
                lists.living.extend(text.lines().filter_map(Node::parse));
            } else {
                lists.dead.push(path);
            }
        }
        Ok(lists)
    }
}
