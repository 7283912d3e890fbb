//! The few file operations the store is made of: bounded reads of regular files, flushes of
//! folders, hashes of whole files. It knows no layout and never decides what a name means.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::UNIX_EPOCH;

use assay_core::ObjectHash;
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root,
};
use rustix::fs::{self as sys, OFlags, RawDir};
use rustix::io::retry_on_intr;

use crate::error::{At, StoreError, present, readable};

/// Below this size one thread hashes faster than several can be woken.
const PARALLEL_HASH: usize = 256 << 10;

/// Bytes that a thread reads at a time: they stay in the processor's nearer caches until hashed.
const PIECE: usize = 256 << 10;

/// From this size a file is read by several threads.
const LARGE: u64 = 64 * PIECE as u64;

thread_local! {
    /// Read buffer of a thread.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The bytes of names that are read of a folder at a time.
const LISTED: usize = 16 << 10;

/// How many flushes wait at the same time. They need no processor.
const SYNC_THREADS: usize = 16;

/// Opens a regular file of the store for reading and looks at its entry. A link is refused.
pub(crate) fn open(path: &Path) -> Result<(File, Metadata), StoreError> {
    with_metadata(assay_files::open_itself(path), path)
}

/// As [`open`], for a file that may have gone, or never have been one: then there is nothing.
pub(crate) fn open_if_there(path: &Path) -> Result<Option<(File, Metadata)>, StoreError> {
    Ok(readable(present(open(path)))?.flatten())
}

/// As [`open`], for a file of the user's, which a link may lead to.
pub(crate) fn open_followed(path: &Path) -> Result<(File, Metadata), StoreError> {
    with_metadata(assay_files::open(path), path)
}

fn with_metadata(opened: io::Result<File>, path: &Path) -> Result<(File, Metadata), StoreError> {
    let file = opened.at("open", path)?;
    let metadata = file.metadata().at("inspect", path)?;
    Ok((file, metadata))
}

/// When it was written, in milliseconds since 1970 (UTC).
pub(crate) fn written_ms(metadata: &Metadata, path: &Path) -> Result<u64, StoreError> {
    let written = metadata.modified().at("inspect", path)?;
    let written = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(written.as_millis() as u64)
}

/// The bytes of the regular file at `path`, of which there may be `limit` at most.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    assay_files::read_itself(path, limit).at("read", path)
}

/// The bytes of an open file, of which there may be `limit` at most.
pub(crate) fn read_open(file: &File, path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    assay_files::read_open(file, limit).at("read", path)
}

/// All entries of a folder.
pub(crate) fn directory(folder: &Path) -> Result<fs::ReadDir, StoreError> {
    fs::read_dir(folder).at("list", folder)
}

/// Paths of the entries of a folder, without hidden ones, such as file systems and desktops leave
/// there.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths = Vec::new();
    each_entry(folder, |_, name| {
        paths.push(folder.join(name));
        Ok(())
    })?;
    Ok(paths)
}

/// Opens a folder as a beginning of ways to what lies in it. It need not be readable.
pub(crate) fn locate_folder(folder: &Path) -> Result<OwnedFd, StoreError> {
    open_folder(folder, OFlags::PATH)
}

fn open_folder(folder: &Path, access: OFlags) -> Result<OwnedFd, StoreError> {
    let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = retry_on_intr(|| sys::open(folder, flags, sys::Mode::empty()));
    opened.map_err(io::Error::from).at("open", folder)
}

/// Calls `look` with the open folder and the name of each entry that [`entries`] has.
pub(crate) fn each_entry(
    folder: &Path,
    mut look: impl FnMut(&OwnedFd, &OsStr) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    // A run lists the folder of each action, which has a record or two: `fs::read_dir` would ask for
    // 32 KiB of memory each time, and so take longer than the reading of the record.
    let mut buffer = [MaybeUninit::uninit(); LISTED];
    let opened = open_folder(folder, OFlags::RDONLY)?;
    let mut entries = RawDir::new(&opened, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(io::Error::from).at("list", folder)?;
        let name = entry.file_name().to_bytes();
        if !name.starts_with(b".") {
            look(&opened, OsStr::from_bytes(name))?;
        }
    }
    Ok(())
}

/// Results of `look` for each file, in the order of the files, on as many threads as there are
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
        let mut hasher = blake3::Hasher::new();
        hasher.update_rayon(bytes).finalize().into()
    }
}

/// The hash and the size of a file that nothing writes to: it is mapped, and a mapped file that
/// shrinks ends the process.
pub(crate) fn hash_still_file(path: &Path) -> Result<(ObjectHash, u64), StoreError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap_rayon(path).at("read", path)?;
    Ok((hasher.finalize().into(), hasher.count()))
}

/// A file that was read from beginning to end.
pub(crate) struct Hashed {
    pub(crate) hash: ObjectHash,
    pub(crate) size: u64,
    /// Its first byte, unless it is empty.
    pub(crate) first: Option<u8>,
}

/// Reads an open file of about `size` bytes, whoever may be writing to it; `read` is told how many
/// bytes were read. A large file is read by several threads.
pub(crate) fn hash_file(
    file: &File,
    size: u64,
    path: &Path,
    read: &(dyn Fn(u64) + Sync),
) -> Result<Hashed, StoreError> {
    let hashed = if size >= LARGE {
        hash_side_by_side(file, size, read)
    } else {
        hash_pieces(file, size, read)
    };
    hashed.at("read", path)
}

fn hash_pieces(file: &File, size: u64, read: &(dyn Fn(u64) + Sync)) -> io::Result<Hashed> {
    let mut hasher = blake3::Hasher::new();
    let mut first = None;
    // One byte more than the file has: then the first read finds its end.
    let length = usize::try_from(size).map_or(PIECE, |size| PIECE.min(size.saturating_add(1)));
    let mut buffer = vec![0; length];
    loop {
        let offset = hasher.count();
        let count = fill(file, &mut buffer, offset)?;
        let bytes = buffer.get(..count).unwrap_or(&buffer);
        if offset == 0 {
            first = bytes.first().copied();
        }
        hasher.update(bytes);
        read(count as u64);
        if count < buffer.len() {
            return Ok(Hashed {
                hash: hasher.finalize().into(),
                size: hasher.count(),
                first,
            });
        }
    }
}

/// As [`hash_pieces`], from several threads: BLAKE3 is a tree, and each thread reads a subtree and
/// hashes it while it is in the caches. A file whose length changes meanwhile is read again.
fn hash_side_by_side(file: &File, size: u64, read: &(dyn Fn(u64) + Sync)) -> io::Result<Hashed> {
    let left = left_subtree_len(size);
    let halves = rayon::join(
        || subtree(file, 0, left, read),
        || subtree(file, left, size - left, read),
    );
    let mut ends = [0; 2];
    let (Ok(left), Ok(right)) = halves else {
        return hash_pieces(file, size, &|_| ());
    };
    // The first byte is there, and no byte after the last.
    if fill(file, &mut ends[..1], 0)? != 1 || fill(file, &mut ends[1..], size)? != 0 {
        return hash_pieces(file, size, &|_| ());
    }
    let hash = merge_subtrees_root(&left, &right, Mode::Hash);
    Ok(Hashed {
        hash: hash.into(),
        size,
        first: ends.first().copied(),
    })
}

/// The chaining value of `length` bytes from `offset`, which are a subtree.
fn subtree(
    file: &File,
    offset: u64,
    length: u64,
    read: &(dyn Fn(u64) + Sync),
) -> io::Result<ChainingValue> {
    if length > PIECE as u64 {
        let left = left_subtree_len(length);
        let (left, right) = rayon::join(
            || subtree(file, offset, left, read),
            || subtree(file, offset + left, length - left, read),
        );
        return Ok(merge_subtrees_non_root(&left?, &right?, Mode::Hash));
    }
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(PIECE, 0);
        let bytes = buffer.get_mut(..length as usize).unwrap_or_default();
        if fill(file, bytes, offset)? < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read(length);
        Ok(blake3::Hasher::new()
            .set_input_offset(offset)
            .update(bytes)
            .finalize_non_root())
    })
}

/// Reads from `offset` until the buffer is full or the file ends.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + count as u64) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// The hash of what remains to be read of a file that others may be writing to.
pub(crate) fn hash_reader(mut reader: impl Read) -> io::Result<ObjectHash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 4 * PARALLEL_HASH];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(count) => {
                hasher.update_rayon(buffer.get(..count).unwrap_or(&buffer));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
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
