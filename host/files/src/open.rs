//! Opens regular files and nothing else: what a pipe, a socket or a device would do to its reader
//! is not known before it has done so.

use std::fmt;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Files up to this size are read by one call: a cached run opens thousands of such.
const AT_ONCE: usize = 64 << 10;

/// Something that is not a regular file, and so was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is {0}, not a regular file{advice}", advice = .0.advice())]
pub struct NotRegular(pub Kind);

/// Kind of a file that is not a regular one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A folder.
    Folder,
    /// A symbolic link, where none is followed.
    Link,
    /// A named or an unnamed pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A device.
    Device,
}

/// A file with more bytes than are read of such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is larger than {}, the most that is read of such a file", size(*.limit))]
pub struct TooLarge {
    /// The most bytes that are read.
    pub limit: u64,
}

impl Kind {
    fn of(kind: FileType) -> Self {
        if kind.is_dir() {
            Self::Folder
        } else if kind.is_symlink() {
            Self::Link
        } else if kind.is_fifo() {
            Self::Pipe
        } else if kind.is_socket() {
            Self::Socket
        } else {
            Self::Device
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Pipe => "; write what it gives to a file, and name that",
            _ => "",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Pipe => "a pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

impl From<NotRegular> for io::Error {
    fn from(error: NotRegular) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

impl From<TooLarge> for io::Error {
    fn from(error: TooLarge) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Opens the regular file at `path`, or the one that a link there leads to, for reading. It never
/// waits: what is no regular file is an error that holds a [`NotRegular`].
pub fn open(path: &Path) -> io::Result<File> {
    Ok(opened(OpenOptions::new().read(true), OFlags::empty(), path)?.0)
}

/// As [`open`], and a link is not followed either.
pub fn open_itself(path: &Path) -> io::Result<File> {
    Ok(opened(OpenOptions::new().read(true), OFlags::NOFOLLOW, path)?.0)
}

/// Opens the regular file at `path` for reading alone, and makes an empty one if nothing is there. A
/// link is not followed.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::NOFOLLOW;
    Ok(opened(OpenOptions::new().read(true), flags, path)?.0)
}

/// Opens the regular file at `path` for appending, and makes an empty one if nothing is there. A
/// link is not followed.
pub fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.create(true).append(true);
    Ok(opened(options, OFlags::NOFOLLOW, path)?.0)
}

/// The file, and what was seen of it when it was opened.
fn opened(options: &mut OpenOptions, flags: OFlags, path: &Path) -> io::Result<(File, Metadata)> {
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = options.custom_flags(flags.bits().cast_signed()).open(path);
    let (kind, error) = match opened {
        Ok(file) => {
            let metadata = file.metadata()?;
            if metadata.is_file() {
                return Ok((file, metadata));
            }
            (metadata.file_type(), None)
        }
        // Sockets and many a device cannot be opened, pipes without a reader not for writing, and
        // links and folders not as they were asked for.
        Err(error) if is_of_kind(&error) => {
            let metadata = if flags.contains(OFlags::NOFOLLOW) {
                path.symlink_metadata()
            } else {
                path.metadata()
            };
            match metadata {
                Ok(metadata) => (metadata.file_type(), Some(error)),
                Err(_) => return Err(error),
            }
        }
        Err(error) => return Err(error),
    };
    match error {
        // It has become a file since.
        Some(error) if kind.is_file() => Err(error),
        _ => Err(NotRegular(Kind::of(kind)).into()),
    }
}

fn is_of_kind(error: &io::Error) -> bool {
    let errors = [
        Errno::NXIO,
        Errno::NODEV,
        Errno::LOOP,
        Errno::ISDIR,
        Errno::OPNOTSUPP,
    ];
    errors
        .map(|errno| Some(errno.raw_os_error()))
        .contains(&error.raw_os_error())
}

/// The bytes of the regular file at `path`, of which there may be `limit` at most: one that has more
/// is an error that holds a [`TooLarge`].
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = opened(OpenOptions::new().read(true), OFlags::empty(), path)?;
    read_sized(&file, metadata.len(), limit)
}

/// As [`read`], and a link is not followed.
pub fn read_itself(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = opened(OpenOptions::new().read(true), OFlags::NOFOLLOW, path)?;
    read_sized(&file, metadata.len(), limit)
}

/// As [`read`], for a file that is open.
pub fn read_open(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    read_sized(file, file.metadata()?.len(), limit)
}

/// Reads a file that had this size when it was looked at.
fn read_sized(file: &File, size: u64, limit: u64) -> io::Result<Vec<u8>> {
    if size > limit {
        return Err(TooLarge { limit }.into());
    }
    let mut bytes = Vec::new();
    let room = usize::try_from(size).unwrap_or(usize::MAX);
    if (1..=AT_ONCE).contains(&room) {
        // One byte more than the file had: less than that is all of it, and nothing more is asked for.
        bytes.resize(room + 1, 0);
        let read = rustix::io::retry_on_intr(|| rustix::io::read(file, &mut bytes[..]))?;
        bytes.truncate(read);
        if read == room {
            return Ok(bytes);
        }
    } else {
        bytes.try_reserve_exact(room).map_err(io::Error::from)?;
    }
    let rest = limit.saturating_add(1).saturating_sub(bytes.len() as u64);
    file.take(rest).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(TooLarge { limit }.into());
    }
    Ok(bytes)
}

/// True if the regular file at `path` has these bytes; at most as many are read.
pub fn holds(path: &Path, bytes: &[u8]) -> bool {
    let size = bytes.len() as u64;
    let held = open(path).and_then(|file| {
        let is_as_long = file.metadata()?.len() == size;
        Ok(is_as_long && read_open(&file, size)? == bytes)
    });
    held.unwrap_or(false)
}

/// As [`read`], for a text in UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let text = String::from_utf8(read(path, limit)?);
    text.map_err(|error| {
        let (text, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = text.split(|byte| *byte == b'\n').count();
        let problem = format!("it is not UTF-8 text, from line {line} on");
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })
}

/// A number of bytes as limits are given.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    if bytes >= MIB && bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else if bytes >= KIB && bytes.is_multiple_of(KIB) {
        format!("{} KiB", bytes / KIB)
    } else {
        format!("{bytes} bytes")
    }
}
