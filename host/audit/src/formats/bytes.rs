//! Bytes as such: what those that are not looked into are, by their signatures, and which bytes of
//! two files differ, read side by side.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

const SIGNATURES: [(&[u8], &str); 11] = [
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"%PDF-", "a document (PDF)"),
    (b"\x1f\x8b", "compressed bytes (gzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed bytes (Zstandard)"),
    (b"\xfd7zXZ\0", "compressed bytes (xz)"),
    (b"BZh", "compressed bytes (bzip2)"),
    (b"PK\x03\x04", "an archive (ZIP)"),
    (b"SQLite format 3\0", "a database (SQLite)"),
    (b"\x89HDF\r\n\x1a\n", "data (HDF5)"),
];

/// The place of a tar archive's signature.
const TAR: std::ops::Range<usize> = 257..262;

const BUFFER: usize = 256 << 10;

/// The kind of a file that is not looked into, in a few words.
pub(super) fn kind(head: &[u8]) -> &'static str {
    let mut signatures = SIGNATURES.iter();
    match signatures.find(|(signature, _)| head.starts_with(signature)) {
        Some((_, kind)) => kind,
        None if head.is_empty() => "empty",
        None if head.get(TAR) == Some(b"ustar") => "an archive (tar)",
        None if head.iter().all(|byte| *byte == 0) => "zero bytes",
        None => "bytes of no format that is known here",
    }
}

/// Which bytes of two files differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BytesDifference {
    /// The offset of the first byte that differs; nothing if none does.
    pub first: Option<u64>,
    /// How many differ; those beyond the end of the shorter file do.
    pub differing: u64,
}

pub(super) fn compare(before: &Path, now: &Path) -> io::Result<BytesDifference> {
    let open = |path| assay_files::open(path).map(|file| BufReader::with_capacity(BUFFER, file));
    let (mut before, mut now) = (open(before)?, open(now)?);
    let mut difference = BytesDifference::default();
    let mut offset = 0;
    loop {
        let (left, right) = (before.fill_buf()?, now.fill_buf()?);
        let length = match (left.len(), right.len()) {
            (0, 0) => return Ok(difference),
            // One of them has ended, and the rest of the other is more.
            (0, rest) | (rest, 0) => {
                difference.first.get_or_insert(offset);
                difference.differing += rest as u64;
                rest
            }
            (left, right) => left.min(right),
        };
        let pairs = left.iter().zip(right);
        if left.get(..length) != right.get(..length) {
            let mut differing = pairs.enumerate().filter(|(_, (left, right))| left != right);
            if let Some((at, _)) = differing.next() {
                difference.first.get_or_insert(offset + at as u64);
                difference.differing += 1 + differing.count() as u64;
            }
        }
        let (left, right) = (left.len().min(length), right.len().min(length));
        before.consume(left);
        now.consume(right);
        offset += length as u64;
    }
}
