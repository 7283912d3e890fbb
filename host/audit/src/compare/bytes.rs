//! Which bytes of two files differ, read side by side.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

const BUFFER: usize = 256 << 10;

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
