//! Garbage collection: finds ([`Store::garbage`]) and removes ([`Collection::remove`]) everything
//! that no run, no pin, no young result and no process at work reaches. Records are removed before
//! the data that they refer to.
//!
//! From the first look to the last removal the store is closed to all others (`lease` has the
//! protocol), so nothing that it looks at changes. A collection that is killed at any instant
//! leaves a store in which every result that is still there has all its bytes.

mod mark;
mod records;
mod retention;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use assay_core::{ActionKey, ObjectHash, RunHash, StageKind};

pub use self::retention::Retention;

use crate::error::StoreError;
use crate::gate::Closed;
use crate::store::Store;

/// Something that a collection removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GarbageItem {
    /// The marker of a run.
    Run {
        /// The run.
        run: RunHash,
        /// Its pipeline.
        pipeline: String,
        /// When it began, in milliseconds since 1970 (UTC).
        started_ms: u64,
    },
    /// The record of an execution.
    Result {
        /// The action.
        action: ActionKey,
        /// Kind of its stage, if its document can be read.
        kind: Option<StageKind>,
    },
    /// An object.
    Object(ObjectHash),
    /// The working folder of an action that has finished, or was given up long ago.
    Scratch,
    /// A file that nobody finished writing.
    Temporary,
    /// A lock that nobody holds, or what a process that has ended left.
    Lock,
}

/// The kinds of [`GarbageItem`], in the order in which they are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GarbageKind {
    /// Markers of runs.
    Runs,
    /// Records of executions.
    Results,
    /// Objects, those that are documents first.
    Objects,
    /// Working folders.
    Scratch,
    /// Files that nobody finished writing.
    Temporary,
    /// Locks, and lists of what processes use.
    Locks,
}

impl GarbageKind {
    /// The kind in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Results => "results",
            Self::Objects => "objects",
            Self::Scratch => "scratch",
            Self::Temporary => "temporary",
            Self::Locks => "locks",
        }
    }
}

impl GarbageItem {
    /// Its kind.
    pub const fn kind(&self) -> GarbageKind {
        match self {
            Self::Run { .. } => GarbageKind::Runs,
            Self::Result { .. } => GarbageKind::Results,
            Self::Object(_) => GarbageKind::Objects,
            Self::Scratch => GarbageKind::Scratch,
            Self::Temporary => GarbageKind::Temporary,
            Self::Lock => GarbageKind::Locks,
        }
    }
}

/// A file or folder that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GarbageFile {
    /// Kind and identity of the thing.
    pub item: GarbageItem,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes, of a folder that of its files.
    pub bytes: u64,
}

impl GarbageFile {
    /// Its kind.
    pub const fn kind(&self) -> GarbageKind {
        self.item.kind()
    }
}

/// A number of things and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// A store that is closed to all other processes for as long as this lives, and its garbage.
#[derive(Debug)]
pub struct Collection {
    garbage: Garbage,
    _closed: Closed,
}

impl Collection {
    /// The items to remove, and the amounts that stay.
    pub const fn garbage(&self) -> &Garbage {
        &self.garbage
    }
}

/// Items that a collection removes, in the order of removal, and amounts that it leaves.
#[derive(Debug)]
pub struct Garbage {
    /// Items to remove, in order.
    pub items: Vec<GarbageFile>,
    /// Amounts that stay, by kind.
    pub kept: BTreeMap<GarbageKind, Amount>,
    /// Runs whose manifests cannot be read. What they name is not known, so every result stays.
    pub unreadable_runs: Vec<RunHash>,
    /// Results that stay although no run and no pin names them, since they are young.
    pub young_results: Amount,
}

impl Garbage {
    /// How much of each kind goes.
    pub fn amounts(&self) -> BTreeMap<GarbageKind, Amount> {
        let mut amounts = BTreeMap::<_, Amount>::new();
        for item in &self.items {
            let amount = amounts.entry(item.kind()).or_default();
            amount.add(item.bytes);
        }
        amounts
    }

    /// The bytes of all that goes.
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}

impl Store {
    /// Closes the store and finds its garbage. This waits until nobody is in the middle of writing to
    /// the store; others then wait until the value is dropped.
    ///
    /// # Errors
    /// The store cannot be read, or something in it has a name that nothing in a store has. What is
    /// damaged counts as not there and is no error.
    pub fn collection(&self, retention: &Retention) -> Result<Collection, StoreError> {
        let closed = self.close()?;
        let garbage = mark::garbage(self, retention, &BTreeSet::new())?;
        Ok(Collection {
            garbage,
            _closed: closed,
        })
    }

    /// Finds the garbage of a store, as far as that can be told beside processes at work: the store
    /// is not closed, and nothing is written to it.
    ///
    /// # Errors
    /// As [`Store::collection`].
    pub fn garbage(&self, retention: &Retention) -> Result<Garbage, StoreError> {
        self.garbage_without(retention, &BTreeSet::new())
    }

    /// As [`Store::garbage`], once these runs are [forgotten](Store::forget).
    ///
    /// # Errors
    /// As [`Store::collection`].
    pub fn garbage_without(
        &self,
        retention: &Retention,
        runs: &BTreeSet<RunHash>,
    ) -> Result<Garbage, StoreError> {
        let _guard = self.hold()?;
        mark::garbage(self, retention, runs)
    }
}
