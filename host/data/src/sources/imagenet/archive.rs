//! The places of files in a tar archive, and reading a stretch of a file.
//!
//! An archive is listed once, by its headers, and its files are then read by offset: in any
//! order, from several threads, and without unpacking anything.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use tar::{Archive, EntryType};

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its path in the archive.
    pub(super) path: String,
    pub(super) stretch: Stretch,
}

/// Consecutive bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// Lists the regular files of the archive that fills `stretch` of `file`.
pub(super) fn list(file: &File, stretch: Stretch) -> io::Result<Vec<Member>> {
    let mut archive = Archive::new(Section {
        file,
        stretch,
        at: 0,
    });
    let mut members = Vec::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let path = entry.path()?;
        let path = path.to_str().ok_or_else(|| {
            let message = format!("`{}` is not a UTF-8 name", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        let path = path.strip_prefix("./").unwrap_or(path).to_owned();
        let (start, length) = (entry.raw_file_position(), entry.size());
        if start
            .checked_add(length)
            .is_none_or(|end| end > stretch.length)
        {
            let message = format!("the archive is cut off within `{path}`");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        let offset = stretch.offset + start;
        members.push(Member {
            path,
            stretch: Stretch { offset, length },
        });
    }
    Ok(members)
}

/// The bytes of `stretch`, but at most `limit`.
pub(super) fn read(file: &File, stretch: Stretch, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; stretch.length.min(limit) as usize];
    file.read_exact_at(&mut bytes, stretch.offset)?;
    Ok(bytes)
}

/// A stretch of a file as a file of its own.
struct Section<'a> {
    file: &'a File,
    stretch: Stretch,
    at: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.stretch.length.saturating_sub(self.at);
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self
            .file
            .read_at(&mut buffer[..most], self.stretch.offset + self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.stretch.length.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
