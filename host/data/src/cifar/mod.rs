//! The binary version of CIFAR-10: records of one label byte and 3,072 pixel bytes.
//!
//! Files are read from any [`Read`], gzip-compressed or not. Input is never trusted: a wrong
//! length and a label that is no class are errors of their own, and memory grows with the bytes
//! that are really there.
//!
//! A record's pixels are the red channel, then green, then blue, each 32 × 32 in row-major
//! order: the layout (C, H, W). A file has no header; [`RECORDS_PER_FILE`] records fill it.

use std::io::{self, Read};

use crate::content;
use crate::error::FormatError;

/// The number of classes; every label is below it.
const CLASSES: u8 = 10;
/// Bytes of an image, of shape [`ImageShape::CIFAR`](crate::table::ImageShape::CIFAR).
const PIXELS: usize = 3 * 32 * 32;
/// Bytes of a record: the label and the image.
pub(crate) const RECORD_BYTES: usize = 1 + PIXELS;
/// Records of each file of CIFAR-10.
pub(crate) const RECORDS_PER_FILE: usize = 10_000;

/// Images and labels, as read from one file or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    /// One label for each image.
    pub(crate) labels: Vec<u16>,
    /// [`PIXELS`] bytes for each image.
    pub(crate) pixels: Vec<u8>,
}

impl Records {
    /// Reads a file of exactly `count` records and appends them. After an error, nothing was
    /// appended.
    pub(crate) fn append(&mut self, reader: impl Read, count: usize) -> Result<(), FormatError> {
        let bytes = read(reader, count)?;
        let records = bytes.chunks_exact(RECORD_BYTES);
        let labels = records.clone().map(|record| u16::from(record[0]));
        if let Some((record, label)) = labels
            .clone()
            .enumerate()
            .find(|&(_, label)| label >= CLASSES.into())
        {
            return Err(FormatError(format!(
                "has label {label} in record {record}; labels of CIFAR-10 are below {CLASSES}"
            )));
        }
        self.labels.extend(labels);
        self.pixels.reserve(count * PIXELS);
        records.for_each(|record| self.pixels.extend_from_slice(&record[1..]));
        Ok(())
    }
}

/// The bytes of `count` records, which must be all that there is.
fn read(reader: impl Read, count: usize) -> Result<Vec<u8>, FormatError> {
    let expected = (count as u64).saturating_mul(RECORD_BYTES as u64);
    let mut reader = content::uncompressed(reader)?;
    let mut bytes = Vec::new();
    reader.by_ref().take(expected).read_to_end(&mut bytes)?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(FormatError(format!(
            "is truncated: {found} of {expected} bytes are there; obtain the binary version of \
             CIFAR-10 again"
        )));
    }
    if io::copy(&mut reader.take(1), &mut io::sink())? > 0 {
        return Err(FormatError(format!(
            "goes on after {expected} bytes, where its last record ends; obtain the binary version \
             of CIFAR-10 again"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
