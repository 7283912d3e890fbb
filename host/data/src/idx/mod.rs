//! The IDX format of MNIST and its relatives: images (`idx3-ubyte`) and labels (`idx1-ubyte`).
//!
//! Files are read from any [`Read`], gzip-compressed or not. Input is never trusted: every
//! malformation is an error of its own, and memory grows with the bytes that are really there,
//! never with what a header claims.
//!
//! A file is two zero bytes, an element type (0x08 is an unsigned byte), the number of
//! dimensions, each dimension as a big-endian `u32`, and the elements in row-major order.

use std::io::{self, Read};

use crate::content;
use crate::error::FormatError;

const UNSIGNED_BYTE: u8 = 0x08;

/// Grey images, as read from an `idx3-ubyte` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The number of images.
    pub count: u32,
    /// Rows of each image.
    pub rows: u32,
    /// Columns of each image.
    pub columns: u32,
    /// `count * rows * columns` pixels, row-major, image after image.
    pub pixels: Vec<u8>,
}

/// Reads an `idx3-ubyte` file of at most `limit` pixels.
pub fn read_images(reader: impl Read, limit: u64) -> Result<Images, FormatError> {
    let ([count, rows, columns], pixels) = read_array(reader, limit)?;
    Ok(Images {
        count,
        rows,
        columns,
        pixels,
    })
}

/// Reads an `idx1-ubyte` file of at most `limit` labels.
pub fn read_labels(reader: impl Read, limit: u64) -> Result<Vec<u8>, FormatError> {
    let ([_], labels) = read_array(reader, limit)?;
    Ok(labels)
}

/// Checks that there is one label for each image, and that each is below `classes`.
pub fn check_labels(images: u32, labels: &[u8], classes: u16) -> Result<(), FormatError> {
    if labels.len() != images as usize {
        return Err(FormatError(format!(
            "holds {} labels for {images} images; the two files do not belong together",
            labels.len()
        )));
    }
    match labels.iter().position(|&label| u16::from(label) >= classes) {
        None => Ok(()),
        Some(position) => Err(FormatError(format!(
            "has label {} at position {position}; with {classes} classes, labels are below \
             {classes}",
            labels[position]
        ))),
    }
}

/// The dimensions and elements of an array of unsigned bytes with `N` dimensions.
fn read_array<const N: usize>(
    reader: impl Read,
    limit: u64,
) -> Result<([u32; N], Vec<u8>), FormatError> {
    let mut reader = content::uncompressed(reader)?;
    let dimensions = read_header(&mut reader)?;
    let expected = element_count(dimensions, limit)?;

    let mut elements = Vec::new();
    reader.by_ref().take(expected).read_to_end(&mut elements)?;
    if (elements.len() as u64) < expected {
        return Err(truncated("elements", expected, elements.len()));
    }
    match io::copy(&mut reader.take(limit), &mut io::sink())? {
        0 => Ok((dimensions, elements)),
        trailing => Err(FormatError(format!(
            "goes on after its last element ({trailing} bytes); the header is damaged"
        ))),
    }
}

fn read_header<const N: usize>(reader: &mut impl Read) -> Result<[u32; N], FormatError> {
    let [zero, zero_too, element_type, found] = read_exactly(reader)?;
    if [zero, zero_too] != [0, 0] {
        return Err(FormatError(format!(
            "is not an IDX file: it begins with bytes {:02x?} where IDX begins with 00 00",
            [zero, zero_too]
        )));
    }
    if element_type != UNSIGNED_BYTE {
        return Err(FormatError(format!(
            "has elements of type 0x{element_type:02x}; only unsigned bytes (0x08) are supported"
        )));
    }
    if usize::from(found) != N {
        return Err(FormatError(format!(
            "has {found} dimensions where {N} are needed; images have 3, labels 1: were the two \
             swapped?"
        )));
    }
    let mut dimensions = [0; N];
    for dimension in &mut dimensions {
        *dimension = u32::from_be_bytes(read_exactly(reader)?);
    }
    Ok(dimensions)
}

fn element_count<const N: usize>(dimensions: [u32; N], limit: u64) -> Result<u64, FormatError> {
    let product = dimensions
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(size.into()));
    match product {
        None => Err(FormatError(format!(
            "states dimensions {dimensions:?}, whose product overflows; the header is damaged"
        ))),
        Some(0) => Err(FormatError(format!(
            "holds no data: its dimensions are {dimensions:?}"
        ))),
        Some(bytes) if bytes > limit => Err(FormatError(format!(
            "states {bytes} bytes of elements, more than the limit of {limit}"
        ))),
        Some(bytes) => Ok(bytes),
    }
}

fn read_exactly(reader: &mut impl Read) -> Result<[u8; 4], FormatError> {
    let mut bytes = Vec::with_capacity(4);
    reader.take(4).read_to_end(&mut bytes)?;
    <[u8; 4]>::try_from(bytes).map_err(|short| truncated("header", 4, short.len()))
}

/// The file ends within its `part`.
fn truncated(part: &str, expected: u64, found: usize) -> FormatError {
    FormatError(format!(
        "is truncated: {found} of {expected} bytes of its {part} are there; obtain the file again"
    ))
}

#[cfg(test)]
mod tests;
