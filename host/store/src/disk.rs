//! The few file operations the store is made of: bounded reads of regular files, flushes of
//! folders, hashes of whole files. It knows no layout and never decides what a name means.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use assay_core::ObjectHash;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::error::{At, StoreError};

/// Below this size one thread hashes faster than several can be woken.
const PARALLEL_HASH: usize = 256 << 10;

/// How many flushes wait at the same time. They need no processor.
const SYNC_THREADS: usize = 16;

/// Opens a regular file for reading and looks at what it is. A link is refused where `follow` is false; a pipe or a
/// device is refused always, and never waited for.
pub(crate) fn open(path: &Path, follow: bool) -> Result<(File, Metadata), StoreError> {
    let mut flags = OFlags::NONBLOCK;
    flags.set(OFlags::NOFOLLOW, !follow);
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let is_link = |error: &io::Error| error.raw_os_error() == Some(Errno::LOOP.raw_os_error());
    let not_regular = || StoreError::NotRegular {
        path: path.to_owned(),
    };
    let file = match opened {
        Err(error) if is_link(&error) => return Err(not_regular()),
        opened => opened.at("open", path)?,
    };
    let metadata = file.metadata().at("inspect", path)?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(not_regular())
    }
}

/// The bytes of the regular file at `path`, of which there may be `limit` at most.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let (file, metadata) = open(path, false)?;
    let size = metadata.len();
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

/// What lies in a folder, all of it.
pub(crate) fn directory(folder: &Path) -> Result<fs::ReadDir, StoreError> {
    fs::read_dir(folder).at("list", folder)
}

/// What lies in a folder, less what file systems and desktops leave about and no one means.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).at("list", folder)? {
        let entry = entry.at("list", folder)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

/// What `look` says of each file, in their order, looked at from as many threads as there are
/// processors.
pub(crate) fn side_by_side<T: Send>(
    files: &[PathBuf],
    look: impl Fn(&Path) -> Result<T, StoreError> + Sync,
) -> Result<Vec<T>, StoreError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(threads).max(1);
    let parts = thread::scope(|scope| {
        let looks = files.chunks(share).map(|files| {
            let look = &look;
            scope.spawn(move || files.iter().map(|file| look(file)).collect())
        });
        let looks: Vec<_> = looks.collect();
        let joined = looks
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.collect::<Result<Vec<Vec<T>>, _>>()
    })?;
    Ok(parts.into_iter().flatten().collect())
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
pub(crate) fn hash_still_file(path: &Path) -> Result<(ObjectHash, u64), StoreError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap_rayon(path).at("read", path)?;
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

/// Makes files and folders, the names in them included, last through a power cut. They are
/// flushed side by side, since a file system gathers flushes that wait at the same time. Where no thread can be had, they are flushed here.
pub(crate) fn sync(paths: &[PathBuf]) -> Result<(), StoreError> {
    let share = paths.len().div_ceil(SYNC_THREADS).max(1);
    thread::scope(|scope| {
        let mut flushes = Vec::new();
        for paths in paths.chunks(share) {
            let flush = || paths.iter().try_for_each(|path| sync_one(path));
            let spawned = thread::Builder::new().spawn_scoped(scope, flush);
            match spawned {
                Ok(thread) => flushes.push(thread),
                Err(_) => flush()?,
            }
        }
        flushes
            .into_iter()
            .try_for_each(|flush| flush.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn sync_one(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .at("flush", path)
}
