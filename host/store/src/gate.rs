//! The gate of a store, which keeps garbage collections apart from everyone else: whoever needs
//! things to stay enters for a moment, beside others who do; a collection waits until nobody is
//! inside, and then is there alone.
//!
//! Two files are locked, the gate and the queue before it. Everyone passes the queue to enter. A
//! collection stands in the queue while it waits, so that those inside leave and nobody follows;
//! otherwise busy processes that enter by turns would keep it waiting for ever. If someone inside
//! stays long, as an audit does, it gives way to the others now and then. Locks end with their
//! processes, so nothing is left behind that anyone would have to clear.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{At, StoreError, is_forbidden};

const GATE: &str = "gc";
const QUEUE: &str = "gc-queue";

/// How long a collection keeps others from entering before it gives way, and for how long it does.
const STANDING: Duration = Duration::from_millis(100);
const GIVING_WAY: Duration = Duration::from_millis(400);

/// How long it waits before it tries the gate again.
const INTERVAL: Duration = Duration::from_millis(1);

/// Whether a file among the locks, which are otherwise named by actions, belongs to the gate.
pub(crate) fn is_gate(name: &str) -> bool {
    name == GATE || name == QUEUE
}

/// A way in. Every process needs files of its own: locks belong to open files.
#[derive(Debug)]
pub(crate) struct Gate {
    gate: Lock,
    queue: Lock,
}

/// The store, for one process alone: nobody enters while this lives.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Locked; closing it opens the gate.
    _gate: Lock,
}

#[derive(Debug)]
struct Lock {
    file: File,
    path: PathBuf,
}

impl Gate {
    /// The gate whose files lie in `folder`, made by whoever first may. `None` where there is none
    /// and none can be made: in a store that may only be read, which nobody collects in either.
    pub(crate) fn open(folder: &Path) -> Result<Option<Self>, StoreError> {
        let opened = |name| {
            let path = folder.join(name);
            match assay_files::open_itself(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Lock::create(path),
                file => Lock::new(file, path),
            }
        };
        let gate = opened(GATE).and_then(|gate| {
            let queue = opened(QUEUE)?;
            Ok(Self { gate, queue })
        });
        match gate {
            Err(StoreError::Io { source, .. })
                if is_forbidden(&source) || source.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            gate => gate.map(Some),
        }
    }

    /// Enters, beside others; waits for a collection that is under way.
    pub(crate) fn enter(&self) -> Result<(), StoreError> {
        self.queue.lock(File::lock_shared)?;
        let entered = self.gate.lock(File::lock_shared);
        entered.and(self.queue.lock(File::unlock))
    }

    pub(crate) fn leave(&self) -> Result<(), StoreError> {
        self.gate.lock(File::unlock)
    }

    /// Waits until nobody is inside, and keeps all others out.
    pub(crate) fn close(folder: &Path) -> Result<Closed, StoreError> {
        let gate = Lock::create(folder.join(GATE))?;
        let queue = Lock::create(folder.join(QUEUE))?;
        loop {
            queue.lock(File::lock)?;
            let standing = Instant::now();
            while standing.elapsed() < STANDING {
                if try_lock(&gate.file, &gate.path)? {
                    return Ok(Closed { _gate: gate });
                }
                thread::sleep(INTERVAL);
            }
            queue.lock(File::unlock)?;
            thread::sleep(GIVING_WAY);
        }
    }
}

impl Lock {
    fn create(path: PathBuf) -> Result<Self, StoreError> {
        Self::new(assay_files::append(&path), path)
    }

    fn new(opened: io::Result<File>, path: PathBuf) -> Result<Self, StoreError> {
        let file = opened.at("open the lock", &path)?;
        Ok(Self { file, path })
    }

    fn lock(&self, lock: impl Fn(&File) -> io::Result<()>) -> Result<(), StoreError> {
        retry(|| lock(&self.file)).at("lock", &self.path)
    }
}

/// Locks the file, unless another open file has its lock.
pub(crate) fn try_lock(file: &File, path: &Path) -> Result<bool, StoreError> {
    is_free(|| file.try_lock()).at("lock", path)
}

/// Whether another open file has the lock of this one.
pub(crate) fn is_locked(file: &File, path: &Path) -> Result<bool, StoreError> {
    let free = is_free(|| file.try_lock_shared()).at("look at the lock", path)?;
    Ok(!free)
}

/// Whether nobody else has a lock, which `lock` tries to take, whatever signals come.
pub(crate) fn is_free(lock: impl Fn() -> Result<(), TryLockError>) -> io::Result<bool> {
    loop {
        return match lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {
                continue;
            }
            Err(TryLockError::Error(error)) => Err(error),
        };
    }
}

/// Waits for a lock, whatever signals come.
pub(crate) fn retry(mut lock: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}
