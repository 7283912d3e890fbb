//! Metadata of a file or a folder that changes whenever its content does. The content itself is
//! never read.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Clocks of file systems tick as slowly as this: a file changed so shortly before it was read
/// could change again and look the same (what git calls racily clean).
const TICK: Duration = Duration::from_secs(2);

/// Metadata that changes whenever the bytes of a file or the names in a folder do. Times are
/// (seconds, nanoseconds) since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified: (i64, i64),
    pub(crate) changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The stamp of a folder in another; nothing if it is none, cannot be looked at, or changed so lately
    /// that it may change again and look the same.
    pub(crate) fn of_folder(above: &OwnedFd, name: &OsStr, now: SystemTime) -> Option<Self> {
        let found = Self::of_type(above, Path::new(name), FileType::Directory).ok()?;
        found.filter(|stamp| stamp.is_settled(now))
    }

    /// The stamp of what lies there below a folder; nothing if nothing is there, or it is of another type.
    pub(crate) fn of_type(
        folder: &OwnedFd,
        path: &Path,
        file_type: FileType,
    ) -> io::Result<Option<Self>> {
        let found = match statat(folder, path, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            found => found?,
        };
        if FileType::from_raw_mode(found.st_mode) != file_type {
            return Ok(None);
        }
        // Neither sizes nor nanoseconds are negative.
        Ok(Some(Self {
            device: found.st_dev,
            inode: found.st_ino,
            size: found.st_size as u64,
            modified: (found.st_mtime, found.st_mtime_nsec as i64),
            changed: (found.st_ctime, found.st_ctime_nsec as i64),
        }))
    }

    /// Whether the file or folder had been unchanged for long enough by `now` for the stamp to be
    /// relied on.
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let changed = u64::try_from(self.changed.0).ok().and_then(|seconds| {
            let nanoseconds = u32::try_from(self.changed.1).ok()?;
            SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
        });
        changed.is_some_and(|changed| now.duration_since(changed).is_ok_and(|age| age > TICK))
    }
}
