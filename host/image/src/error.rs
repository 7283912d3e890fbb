//! The faults of bytes that are no usable image.

/// Bytes that are no usable image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There are no bytes.
    #[error("is empty")]
    Empty,
    /// There are more bytes than any image has.
    #[error("has more than {} bytes", super::MAX_BYTES)]
    TooManyBytes,
    /// The bytes are neither JPEG nor PNG.
    #[error("is neither a JPEG nor a PNG image: it begins with bytes {0:02x?}")]
    UnknownFormat(Vec<u8>),
    /// The file ends before the image does.
    #[error("is cut off: the {format} ends before its image does")]
    Truncated {
        /// The format.
        format: &'static str,
    },
    /// The content breaks the rules of its format, or uses a part of it that nobody decodes.
    #[error("cannot be decoded as {format}: {reason}")]
    Undecodable {
        /// The format.
        format: &'static str,
        /// The decoder's message.
        reason: String,
    },
    /// The image is too large, or has no pixel.
    #[error(
        "is {width} × {height} pixels; an image has at least one and at most {}",
        super::MAX_PIXELS
    )]
    Size {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The image could not be resized.
    #[error("cannot be resized: {0}")]
    Resize(String),
    /// The image is not of the size of the others, and is not to be resized.
    #[error(
        "is {found:?} (channels, rows, columns) where the first image is {expected:?}; set `size` \
         to bring all images to one size"
    )]
    OtherShape {
        /// Of the first image.
        expected: [u32; 3],
        /// Of this one.
        found: [u32; 3],
    },
}
