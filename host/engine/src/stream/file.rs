//! Events written to a file: JSON, one event a line, each line in one write. The lines of stages that were
//! cached are written together: there may be thousands in a moment.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, Observer, RunEvent};

/// The shortest time between two lines of progress of a stage: runs take weeks.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// From this size on, lines are written and wait for no other event.
const MOST_UNWRITTEN: usize = 32 << 10;

/// A file that events are appended to. What cannot be written costs the run nothing: nothing more is
/// written then, and [`EventFile::failure`] says why.
#[derive(Debug)]
pub struct EventFile {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// The lines of cached stages that wait for the next event.
    unwritten: Vec<u8>,
    /// When each stage's progress was last written.
    progress: HashMap<String, Instant>,
    failure: Option<io::Error>,
}

impl EventFile {
    /// Opens the regular file at `path` to append events to, and makes it if nothing is there. What an
    /// interrupted run left of a line is ended, so that the next event has a line of its own.
    ///
    /// # Errors
    /// It cannot be opened or written, or something else lies there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = assay_files::append(path)?;
        if !ends_with_a_line(path, file.metadata()?.len())? {
            file.write_all(b"\n")?;
        }
        Ok(Self::new(file))
    }

    /// Appends to an open file.
    pub(crate) fn new(file: File) -> Self {
        Self {
            state: Mutex::new(State {
                file,
                unwritten: Vec::new(),
                progress: HashMap::new(),
                failure: None,
            }),
        }
    }

    /// Writes what waits, and says why nothing more was written from some event on.
    pub fn failure(self) -> Option<io::Error> {
        let state = self.state.into_inner();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let flushed = state.flush();
        state.failure.or(flushed.err())
    }
}

fn ends_with_a_line(path: &Path, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(true);
    };
    let mut byte = [0];
    assay_files::open_itself(path)?.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}

impl State {
    /// Whether the event is progress that follows other progress of the stage too soon.
    fn is_too_soon(&mut self, event: &Event) -> bool {
        match event {
            Event::StageProgress { stage, .. } => {
                let last = self.progress.get(stage);
                if last.is_some_and(|last| last.elapsed() < PROGRESS_INTERVAL) {
                    return true;
                }
                self.progress.insert(stage.clone(), Instant::now());
            }
            Event::StageFinished { stage, .. }
            | Event::StageFailed { stage, .. }
            | Event::StageStopped { stage } => drop(self.progress.remove(stage)),
            _ => {}
        }
        false
    }

    fn write(&mut self, event: &RunEvent) -> io::Result<()> {
        let before = self.unwritten.len();
        if let Err(error) = serde_json::to_writer(&mut self.unwritten, event) {
            self.unwritten.truncate(before);
            return Err(error.into());
        }
        self.unwritten.push(b'\n');
        let waits = matches!(event.event, Event::StageCached { .. });
        if waits && self.unwritten.len() < MOST_UNWRITTEN {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.unwritten);
        self.unwritten.clear();
        written
    }
}

impl Observer for EventFile {
    fn observe(&self, event: &RunEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failure.is_none() && !state.is_too_soon(&event.event) {
            state.failure = state.write(event).err();
        }
    }
}
