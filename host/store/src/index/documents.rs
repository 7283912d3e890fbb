//! The bytes of an image's documents, in the store's cache. They are read in pieces, each of which has a hash of its own: who
//! looks one document up in megabytes of them reads no more than what it lies in.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use assay_core::ObjectHash;
use rayon::prelude::*;

use crate::cache::cache_path;
use crate::disk;
use crate::error::StoreError;
use crate::store::Store;

/// The name in the cache, with the version of the form.
const NAME: &str = "documents-3";

/// Bytes that are read at a time: as many as a processor hashes at once, and no more than some documents.
const PIECE: usize = 16 << 10;

/// Documents one after the other, which are read when they are asked for.
#[derive(Debug)]
pub(super) struct DocumentBytes {
    /// Nothing if it is not as long as the documents.
    file: Option<File>,
    length: usize,
    pieces: Vec<Piece>,
    /// All of them, once they were asked for.
    all: OnceLock<Option<Vec<u8>>>,
}

/// A part of the bytes.
#[derive(Debug)]
struct Piece {
    hash: ObjectHash,
    /// Nothing if they do not have the hash.
    bytes: OnceLock<Option<Vec<u8>>>,
}

impl DocumentBytes {
    /// Keeps documents in the cache; the hashes of their pieces.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn write(store: &Store, documents: &[u8]) -> Result<Vec<ObjectHash>, StoreError> {
        store.write(&cache_path(store, NAME), documents)?;
        let pieces = documents.par_chunks(PIECE).map(disk::hash_bytes);
        Ok(pieces.collect())
    }

    /// Those in the cache, of this length and with these hashes of their pieces.
    pub(super) fn open(store: &Store, length: usize, pieces: &[ObjectHash]) -> Self {
        let opened = disk::open(&cache_path(store, NAME)).ok();
        let is_whole = pieces.len() == length.div_ceil(PIECE);
        let of_length = opened.filter(|(_, metadata)| is_whole && metadata.len() == length as u64);
        let pieces = pieces.iter().map(|hash| Piece {
            hash: *hash,
            bytes: OnceLock::new(),
        });
        Self {
            file: of_length.map(|(file, _)| file),
            length,
            pieces: pieces.collect(),
            all: OnceLock::new(),
        }
    }

    /// The bytes at some places; nothing if they are not there, or not those that were written.
    pub(super) fn at(&self, places: Range<usize>) -> Option<Cow<'_, [u8]>> {
        if places.end > self.length {
            return None;
        }
        if let Some(all) = self.all.get() {
            return Some(Cow::Borrowed(all.as_ref()?.get(places)?));
        }
        let first = places.start / PIECE;
        let (start, length) = (places.start % PIECE, places.len());
        let bytes = self.piece(first)?;
        if let Some(bytes) = bytes.get(start..start + length) {
            return Some(Cow::Borrowed(bytes));
        }
        let mut joined = bytes.get(start..)?.to_vec();
        for number in first + 1..places.end.div_ceil(PIECE) {
            let bytes = self.piece(number)?;
            joined.extend(&bytes[..bytes.len().min(length - joined.len())]);
        }
        Some(Cow::Owned(joined))
    }

    /// All bytes, as for [`DocumentBytes::at`].
    pub(super) fn all(&self) -> Option<&[u8]> {
        let all = self.all.get_or_init(|| {
            // So many as the file has.
            let file = self.file.as_ref()?;
            let mut bytes = vec![0; self.length];
            let pieces = bytes.par_chunks_mut(PIECE).zip(&self.pieces).enumerate();
            let read = pieces.map(|(number, (bytes, piece))| piece.read(file, number, bytes));
            read.all(|is_read| is_read).then_some(bytes)
        });
        all.as_deref()
    }

    fn piece(&self, number: usize) -> Option<&[u8]> {
        let piece = self.pieces.get(number)?;
        let bytes = piece.bytes.get_or_init(|| {
            let file = self.file.as_ref()?;
            let mut bytes = vec![0; PIECE.min(self.length - number * PIECE)];
            piece.read(file, number, &mut bytes).then_some(bytes)
        });
        bytes.as_deref()
    }
}

impl Piece {
    /// Reads it where it has this number; false if what is read is anything else.
    fn read(&self, file: &File, number: usize, bytes: &mut [u8]) -> bool {
        let read = file.read_exact_at(bytes, (number * PIECE) as u64);
        read.is_ok() && disk::hash_bytes(bytes) == self.hash
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn documents_are_read_wherever_they_lie_and_only_what_is_damaged_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let length = 3 * PIECE + 17;
        let bytes: Vec<_> = (0..length).map(|at| (at * at / 7) as u8).collect();
        let pieces = DocumentBytes::write(&store, &bytes).unwrap();
        let open = || DocumentBytes::open(&store, length, &pieces);
        let ranges = [
            0..0,
            0..5,
            PIECE - 3..PIECE,
            PIECE - 3..PIECE + 3,
            100..3 * PIECE + 1,
            3 * PIECE..length,
            length..length,
        ];
        for is_all in [false, true] {
            let documents = open();
            assert!(!is_all || documents.all() == Some(&bytes));
            for range in ranges.clone() {
                let found = documents.at(range.clone()).unwrap();
                assert_eq!(*found, bytes[range]);
            }
            assert_eq!(documents.at(length - 1..length + 1), None);
        }
        let path = cache_path(&store, NAME);
        let mut damaged = bytes.clone();
        damaged[PIECE + 5] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, &damaged).unwrap();
        let documents = open();
        assert_eq!(*documents.at(7..9).unwrap(), bytes[7..9]);
        assert_eq!(documents.at(PIECE - 1..PIECE + 1), None);
        assert_eq!(documents.all(), None);
        for cut in [0, 9, PIECE, length - 1] {
            fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(open().at(0..1), None);
            assert_eq!(open().all(), None);
        }
    }
}
