//! The way through a folder of any depth: one folder is open at a time, names are relative to it,
//! and what is above is a list. So neither the stack, nor descriptors, nor the length of a path is a
//! limit.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self as sys, AtFlags, Mode, OFlags, RawDir, Stat};
use rustix::io::{Errno, retry_on_intr};

/// The bytes of names that are read of a folder at a time.
const LISTED: usize = 16 << 10;

/// Called for the entries of a folder tree.
pub(crate) trait Visit {
    /// Sees an entry of an open folder that is not a folder itself.
    fn file(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()>;

    /// Opens a folder to go into; nothing if it is to be passed over.
    fn enter(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<OwnedFd>>;

    /// Sees a folder whose entries have all been seen.
    fn leave(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()>;
}

/// A folder above the open one.
struct Above {
    /// The name, in it, of the folder that was gone into.
    name: CString,
    identity: (u64, u64),
    /// The folders in it that are still to be gone into.
    waiting: Vec<CString>,
}

/// Goes through everything in the folder of this name in `folder`.
pub(crate) fn walk(folder: OwnedFd, name: &CStr, visit: &mut impl Visit) -> io::Result<()> {
    let mut here = folder;
    let mut waiting = vec![name.to_owned()];
    let mut path: Vec<Above> = Vec::new();
    loop {
        if let Some(name) = waiting.pop() {
            let Some(inner) = visit.enter(here.as_fd(), &name)? else {
                continue;
            };
            path.push(Above {
                name,
                identity: identity(&sys::fstat(&here)?),
                waiting,
            });
            waiting = files(&inner, visit)?;
            here = inner;
            continue;
        }
        let Some(above) = path.pop() else {
            return Ok(());
        };
        here = open_folder(here.as_fd(), c"..")?;
        if identity(&sys::fstat(&here)?) != above.identity {
            return Err(io::Error::other("a folder was moved away meanwhile"));
        }
        visit.leave(here.as_fd(), &above.name)?;
        waiting = above.waiting;
    }
}

/// Shows each entry that is no folder; gives the names of the folders.
fn files(folder: &OwnedFd, visit: &mut impl Visit) -> io::Result<Vec<CString>> {
    let mut folders = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); LISTED];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if is_folder(folder.as_fd(), name, entry.file_type())? {
            folders.push(name.to_owned());
        } else {
            visit.file(folder.as_fd(), name)?;
        }
    }
    Ok(folders)
}

fn is_folder(folder: BorrowedFd<'_>, name: &CStr, listed: sys::FileType) -> io::Result<bool> {
    if listed != sys::FileType::Unknown {
        return Ok(listed == sys::FileType::Directory);
    }
    match sys::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(entry) => Ok(sys::FileType::from_raw_mode(entry.st_mode) == sys::FileType::Directory),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens a folder itself, and not a link to one, to list it.
pub(crate) fn open_folder(folder: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry_on_intr(|| sys::openat(folder, name, flags, Mode::empty()))
}

fn identity(entry: &Stat) -> (u64, u64) {
    (entry.st_dev, entry.st_ino)
}
