//! The few file operations the store is made of: bounded reads of regular files, flushes of
//! folders, hashes of whole files. It knows no layout and never decides what a name means.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use assay_core::ObjectHash;
use rustix::fs::OFlags;

use crate::error::{At, StoreError};

/// Below this size one thread hashes faster than several can be woken.
const PARALLEL_HASH: usize = 256 << 10;

/// Opens a regular file for reading. A link is refused where `follow` is false; a pipe or a
/// device is refused always, and never waited for.
pub(crate) fn open(path: &Path, follow: bool) -> io::Result<File> {
    let mut flags = OFlags::NONBLOCK;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
    {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(not_regular());
        }
        opened => opened?,
    };
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// The bytes of the regular file at `path`, of which there may be `limit` at most.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let file = open(path, false).at("open", path)?;
    let size = file.metadata().at("inspect", path)?.len();
    let too_large = || StoreError::TooLarge {
        path: path.to_owned(),
        limit,
    };
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))
        .map_err(|_| io::ErrorKind::OutOfMemory.into())
        .at("find memory for", path)?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .at("read", path)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

/// The hash of bytes in memory.
pub(crate) fn hash_bytes(bytes: &[u8]) -> ObjectHash {
    if bytes.len() < PARALLEL_HASH {
        ObjectHash::of(bytes)
    } else {
        finish(blake3::Hasher::new().update_rayon(bytes))
    }
}

/// The hash and the size of a file that nothing writes to: it is mapped, and a mapped file that
/// shrinks ends the process.
pub(crate) fn hash_still_file(path: &Path) -> io::Result<(ObjectHash, u64)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap_rayon(path)?;
    Ok((finish(&hasher), hasher.count()))
}

/// The hash of what remains to be read of a file that others may be writing to.
pub(crate) fn hash_reader(mut reader: impl Read) -> io::Result<ObjectHash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 4 * PARALLEL_HASH];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(finish(&hasher)),
            Ok(count) => {
                hasher.update_rayon(buffer.get(..count).unwrap_or(&buffer));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn finish(hasher: &blake3::Hasher) -> ObjectHash {
    ObjectHash::from_bytes(*hasher.finalize().as_bytes())
}

/// Makes the names in a folder last through a power cut.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .at("flush the folder", path)
}
