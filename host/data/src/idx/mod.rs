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

const UNSIGNED_BYTE: u8 = 0x08;

/// Grey images, as read from an `idx3-ubyte` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// How many images.
    pub count: u32,
    /// Rows of each image.
    pub rows: u32,
    /// Columns of each image.
    pub columns: u32,
    /// `count * rows * columns` pixels, row-major, image after image.
    pub pixels: Vec<u8>,
}

/// Why bytes are not an IDX file of the expected kind.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// The bytes could not be read, or the gzip stream is broken.
    #[error("could not be read ({0}); obtain the file again")]
    Io(#[from] io::Error),
    /// The file does not begin with two zero bytes.
    #[error("is not an IDX file: it begins with bytes {0:02x?} where IDX begins with 00 00")]
    WrongMagic([u8; 2]),
    /// Elements are not unsigned bytes.
    #[error("has elements of type 0x{0:02x}; only unsigned bytes (0x08) are supported")]
    WrongElementType(u8),
    /// The number of dimensions is not that of the expected kind of file.
    #[error(
        "has {found} dimensions where {expected} are needed; images have 3, labels 1: were the \
         two swapped?"
    )]
    WrongDimensionCount {
        /// The number of dimensions of the expected kind.
        expected: u8,
        /// The number that the file states.
        found: u8,
    },
    /// A dimension is zero.
    #[error("holds no data: its dimensions are {0:?}")]
    Empty(Vec<u32>),
    /// The number of elements does not fit 64 bits.
    #[error("states dimensions {0:?}, whose product overflows; the header is damaged")]
    Overflow(Vec<u32>),
    /// The elements would exceed the caller's limit.
    #[error("states {bytes} bytes of elements, more than the limit of {limit}")]
    TooLarge {
        /// The product of the stated dimensions.
        bytes: u64,
        /// The most that the caller allows.
        limit: u64,
    },
    /// The file ends early.
    #[error(
        "is truncated: {found} of {expected} bytes of its {part} are there; obtain the file again"
    )]
    Truncated {
        /// `header` or `elements`.
        part: &'static str,
        /// Bytes needed.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// Bytes follow the last element.
    #[error("goes on after its last element ({0} bytes); the header is damaged")]
    TrailingBytes(u64),
    /// Images and labels do not pair up.
    #[error("holds {labels} labels for {images} images; the two files do not belong together")]
    CountMismatch {
        /// The number of images.
        images: u32,
        /// The number of labels.
        labels: u32,
    },
    /// A label is not a class.
    #[error(
        "has label {label} at position {position}; with {classes} classes, labels are below {classes}"
    )]
    LabelOutOfRange {
        /// The offending label.
        label: u8,
        /// Its position in the file, from 0.
        position: usize,
        /// The number of classes.
        classes: u16,
    },
}

/// Reads an `idx3-ubyte` file of at most `limit` pixels.
pub fn read_images(reader: impl Read, limit: u64) -> Result<Images, IdxError> {
    let ([count, rows, columns], pixels) = read_array(reader, limit)?;
    Ok(Images {
        count,
        rows,
        columns,
        pixels,
    })
}

/// Reads an `idx1-ubyte` file of at most `limit` labels.
pub fn read_labels(reader: impl Read, limit: u64) -> Result<Vec<u8>, IdxError> {
    let ([_], labels) = read_array(reader, limit)?;
    Ok(labels)
}

/// Checks that there is one label for each image, and that each is below `classes`.
pub fn check_labels(images: u32, labels: &[u8], classes: u16) -> Result<(), IdxError> {
    if labels.len() != images as usize {
        return Err(IdxError::CountMismatch {
            images,
            labels: u32::try_from(labels.len()).unwrap_or(u32::MAX),
        });
    }
    match labels.iter().position(|&label| u16::from(label) >= classes) {
        None => Ok(()),
        Some(position) => Err(IdxError::LabelOutOfRange {
            label: labels[position],
            position,
            classes,
        }),
    }
}

/// The dimensions and elements of an array of unsigned bytes with `N` dimensions.
fn read_array<const N: usize>(
    reader: impl Read,
    limit: u64,
) -> Result<([u32; N], Vec<u8>), IdxError> {
    let mut reader = content::uncompressed(reader)?;
    let dimensions = read_header(&mut reader)?;
    let expected = element_count(dimensions, limit)?;

    let mut elements = Vec::new();
    reader.by_ref().take(expected).read_to_end(&mut elements)?;
    if (elements.len() as u64) < expected {
        return Err(IdxError::Truncated {
            part: "elements",
            expected,
            found: elements.len() as u64,
        });
    }
    match io::copy(&mut reader.take(limit), &mut io::sink())? {
        0 => Ok((dimensions, elements)),
        trailing => Err(IdxError::TrailingBytes(trailing)),
    }
}

fn read_header<const N: usize>(reader: &mut impl Read) -> Result<[u32; N], IdxError> {
    let [zero, zero_too, element_type, found] = read_exactly(reader)?;
    if [zero, zero_too] != [0, 0] {
        return Err(IdxError::WrongMagic([zero, zero_too]));
    }
    if element_type != UNSIGNED_BYTE {
        return Err(IdxError::WrongElementType(element_type));
    }
    if usize::from(found) != N {
        return Err(IdxError::WrongDimensionCount {
            expected: N as u8,
            found,
        });
    }
    let mut dimensions = [0; N];
    for dimension in &mut dimensions {
        *dimension = u32::from_be_bytes(read_exactly(reader)?);
    }
    Ok(dimensions)
}

fn element_count<const N: usize>(dimensions: [u32; N], limit: u64) -> Result<u64, IdxError> {
    let product = dimensions
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(size.into()));
    match product {
        None => Err(IdxError::Overflow(dimensions.to_vec())),
        Some(0) => Err(IdxError::Empty(dimensions.to_vec())),
        Some(bytes) if bytes > limit => Err(IdxError::TooLarge { bytes, limit }),
        Some(bytes) => Ok(bytes),
    }
}

fn read_exactly(reader: &mut impl Read) -> Result<[u8; 4], IdxError> {
    let mut bytes = Vec::with_capacity(4);
    reader.take(4).read_to_end(&mut bytes)?;
    <[u8; 4]>::try_from(bytes).map_err(|short| IdxError::Truncated {
        part: "header",
        expected: 4,
        found: short.len() as u64,
    })
}

#[cfg(test)]
mod tests;
