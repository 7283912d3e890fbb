//! Reads events from a file that a run may still be writing to. The file is not trusted.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use super::{EVENT_VERSION, RunEvent};

/// The most bytes of a line; a longer one is passed over. The plan of a run with 100,000 stages has
/// 10 MB.
const LONGEST_LINE: usize = 64 << 20;
/// The bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// Reads the events of a file in order, as far as they are there.
#[derive(Debug)]
pub struct EventReader {
    file: File,
    offset: u64,
    /// The beginning of a line whose end was not there yet.
    begun: Vec<u8>,
    /// Whether the line under way is too long to be kept.
    is_passing_over: bool,
    unreadable: u64,
}

impl EventReader {
    /// Reads from the beginning of `file`.
    pub fn new(file: File) -> Self {
        Self {
            file,
            offset: 0,
            begun: Vec::new(),
            is_passing_over: false,
            unreadable: 0,
        }
    }

    /// Begins at the first event again.
    pub(crate) fn rewind(&mut self) {
        self.offset = 0;
        self.begun.clear();
        self.is_passing_over = false;
        self.unreadable = 0;
    }

    /// How many lines were no events of this version.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Hands on the events that were written since the last call.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&mut self, mut take: impl FnMut(RunEvent)) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let count = match self.file.read_at(&mut piece, self.offset) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.offset += count as u64;
            let bytes = piece.get(..count).unwrap_or_default();
            for part in bytes.split_inclusive(|byte| *byte == b'\n') {
                self.add(part, &mut take);
            }
        }
    }

    fn add(&mut self, part: &[u8], take: &mut impl FnMut(RunEvent)) {
        let ends = part.ends_with(b"\n");
        if self.begun.len() + part.len() > LONGEST_LINE {
            self.is_passing_over = true;
        }
        if self.is_passing_over {
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(part);
        }
        if !ends {
            return;
        }
        let is_blank = self.begun.trim_ascii().is_empty() && !self.is_passing_over;
        match serde_json::from_slice::<RunEvent>(&self.begun) {
            Ok(event) if event.version == EVENT_VERSION => take(event),
            _ if is_blank => {}
            _ => self.unreadable += 1,
        }
        self.begun.clear();
        self.is_passing_over = false;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::stream::Event;

    const STOPPED: &str =
        r#"{"version":1,"id":"1-a","time_ms":5,"event":"stage-stopped","stage":"s"}"#;

    #[test]
    fn events_are_read_as_they_come_and_the_rest_is_passed_over() {
        let mut file = tempfile::tempfile().unwrap();
        let mut reader = EventReader::new(file.try_clone().unwrap());
        let read = |reader: &mut EventReader| {
            let mut stages = Vec::new();
            let take = |event: RunEvent| {
                if let Event::StageStopped { stage } = event.event {
                    stages.push(stage);
                }
            };
            reader.read(take).unwrap();
            stages.len()
        };
        assert_eq!(read(&mut reader), 0);
        let (begin, end) = STOPPED.split_at(20);
        write!(file, "{STOPPED}\n{begin}").unwrap();
        assert_eq!(read(&mut reader), 1);
        assert_eq!(read(&mut reader), 0);
        writeln!(file, "{end}").unwrap();
        assert_eq!(read(&mut reader), 1);
        let newer = STOPPED.replace("\"version\":1", "\"version\":2");
        let other = STOPPED.replace("stage-stopped", "stage-painted");
        let more = STOPPED.replace("\"stage\"", "\"colour\":\"red\",\"stage\"");
        write!(file, "{newer}\n{other}\n\n\u{1b}[2J\n{more}\n").unwrap();
        assert_eq!(read(&mut reader), 1, "fields may be added");
        assert_eq!(reader.unreadable(), 3);
    }
}
