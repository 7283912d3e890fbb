//! Removing and measuring folders that a plugin filled: of any depth, with names of any length, and
//! with folders that nobody may read.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self as sys, AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

use crate::walk::{Visit, open_folder, walk};

/// The permissions without which what lies in a folder cannot be removed.
const OWN: u32 = 0o700;

/// The files in a folder and below, in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Their bytes.
    pub bytes: u64,
    /// When the newest of them, or of the folders, was written, in milliseconds since 1970 (UTC).
    pub written_ms: u64,
}

/// Removes a file, or a folder with everything in it, whatever its depth and permissions. Links are
/// removed and not followed. Nothing being there is no error.
pub fn remove(path: &Path) -> io::Result<()> {
    let Some((folder, name)) = parent(path)? else {
        return Ok(());
    };
    match sys::unlinkat(&folder, &name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        // Some file systems call a folder that.
        Err(Errno::PERM) if is_folder(&folder, &name) => {}
        Err(error) => return Err(error.into()),
    }
    walk(folder, &name, &mut Removal)
}

/// The bytes of a file, or of all files in a folder and below, and when the newest was written. What
/// goes away meanwhile counts as gone; what this user may not look into counts nothing.
pub fn measure(path: &Path) -> io::Result<Content> {
    let (folder, name) = parent(path)?.ok_or(io::ErrorKind::NotFound)?;
    let entry = sys::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mut measuring = Measuring(Content::default());
    measuring.add(&entry);
    if is_dir(&entry) {
        walk(folder, &name, &mut measuring)?;
    }
    Ok(measuring.0)
}

/// The open folder that `path` lies in, and its name there; nothing if there is no such folder.
fn parent(path: &Path) -> io::Result<Option<(OwnedFd, CString)>> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let name = CString::new(name.as_bytes())?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match retry_on_intr(|| sys::openat(CWD, folder, flags, Mode::empty())) {
        Ok(folder) => Ok(Some((folder, name))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_folder(folder: &OwnedFd, name: &CStr) -> bool {
    sys::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|entry| is_dir(&entry))
}

fn is_dir(entry: &Stat) -> bool {
    sys::FileType::from_raw_mode(entry.st_mode) == sys::FileType::Directory
}

struct Removal;

impl Visit for Removal {
    fn file(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        gone(sys::unlinkat(folder, name, AtFlags::empty()))
    }

    fn enter(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<OwnedFd>> {
        let opened = match open_folder(folder, name) {
            Err(Errno::ACCESS) => {
                permit(folder, name)?;
                open_folder(folder, name)
            }
            opened => opened,
        };
        let inner = match opened {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened?,
        };
        let mode = sys::fstat(&inner)?.st_mode;
        if mode & OWN != OWN {
            sys::fchmod(&inner, Mode::from_raw_mode(mode | OWN))?;
        }
        Ok(Some(inner))
    }

    fn leave(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        gone(sys::unlinkat(folder, name, AtFlags::REMOVEDIR))
    }
}

fn gone(removed: rustix::io::Result<()>) -> io::Result<()> {
    match removed {
        Err(Errno::NOENT) => Ok(()),
        removed => Ok(removed?),
    }
}

/// Lets this user into a folder, and into no other that takes its place meanwhile.
fn permit(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = retry_on_intr(|| sys::openat(folder, name, flags, Mode::empty()))?;
    let path = format!("/proc/self/fd/{}", inner.as_raw_fd());
    Ok(sys::chmod(path, Mode::from_raw_mode(OWN))?)
}

struct Measuring(Content);

impl Measuring {
    fn add(&mut self, entry: &Stat) {
        if !is_dir(entry) {
            self.0.bytes += u64::try_from(entry.st_size).unwrap_or(0);
        }
        let seconds = u64::try_from(entry.st_mtime).unwrap_or(0);
        let written_ms = seconds.saturating_mul(1000) + entry.st_mtime_nsec / 1_000_000;
        self.0.written_ms = self.0.written_ms.max(written_ms);
    }
}

impl Visit for Measuring {
    fn file(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        match sys::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(entry) => self.add(&entry),
            Err(Errno::NOENT | Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn enter(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<OwnedFd>> {
        let inner = match open_folder(folder, name) {
            Err(Errno::NOENT | Errno::ACCESS) => return Ok(None),
            opened => opened?,
        };
        // Without leave to search it there is no way back out of it either.
        if sys::accessat(inner.as_fd(), c".", sys::Access::EXEC_OK, AtFlags::empty()).is_err() {
            return Ok(None);
        }
        self.add(&sys::fstat(&inner)?);
        Ok(Some(inner))
    }

    fn leave(&mut self, _: BorrowedFd<'_>, _: &CStr) -> io::Result<()> {
        Ok(())
    }
}
