//! Finds the runs under way in a store and follows them.

use std::io;

use assay_core::Advice;
use assay_store::{FoundRunLog, Store, StoreError};

use super::{EventReader, RunEvent, RunState};

/// A run of another process, as its log tells it so far.
#[derive(Debug)]
pub struct FollowedRun {
    log: FoundRunLog,
    reader: EventReader,
    state: RunState,
}

/// Whether a run that is followed goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// It is under way.
    UnderWay,
    /// It ended and said so.
    Ended,
    /// Its process is gone without a word.
    Killed,
}

/// Why a run cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log of the run cannot be read.
    #[error("cannot read what happens in the run {id}")]
    Log {
        /// The run's name while it is under way.
        id: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl Advice for FollowError {
    fn help(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Store(error) => error.help(),
            Self::Log { .. } => "".into(),
        }
    }
}

impl FollowedRun {
    /// Begins to follow the run that writes the log.
    ///
    /// # Errors
    /// The log cannot be read.
    fn new(log: FoundRunLog) -> Result<Self, FollowError> {
        let mut run = Self {
            reader: EventReader::new(log.try_clone_file()?),
            state: RunState::default(),
            log,
        };
        run.state.id.clone_from(&run.log.id);
        run.read(|_| {})?;
        Ok(run)
    }

    /// The run, as far as it was read.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Reads what happened since, and says whether the run goes on; `take` is handed each event.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn update(&mut self, mut take: impl FnMut(&RunEvent)) -> Result<Following, FollowError> {
        // Asked first: what a run writes before it ends is there once it has ended.
        let is_alive = self.log.is_alive()?;
        self.read(&mut take)?;
        Ok(match (&self.state.ended, is_alive) {
            (Some(_), _) => Following::Ended,
            (None, true) => Following::UnderWay,
            (None, false) => Following::Killed,
        })
    }

    /// How many lines of the log were passed over, since they are no events of this version.
    pub fn passed_over(&self) -> u64 {
        self.reader.unreadable()
    }

    /// Begins at the first event again.
    pub fn rewind(&mut self) {
        self.reader.rewind();
        self.state = RunState::default();
        self.state.id.clone_from(&self.log.id);
    }

    fn read(&mut self, mut take: impl FnMut(&RunEvent)) -> Result<(), FollowError> {
        let (reader, state) = (&mut self.reader, &mut self.state);
        let read = reader.read(|event| {
            state.apply(&event);
            take(&event);
        });
        read.map_err(|source| FollowError::Log {
            id: self.log.id.clone(),
            source,
        })
    }
}

/// The runs under way in the store, the oldest first.
///
/// # Errors
/// The store or a log cannot be read.
pub fn runs_under_way(store: &Store) -> Result<Vec<FollowedRun>, FollowError> {
    let mut runs = Vec::new();
    for log in store.run_logs()? {
        if log.is_alive()? {
            let run = FollowedRun::new(log)?;
            if run.state.ended.is_none() {
                runs.push(run);
            }
        }
    }
    Ok(runs)
}
