//! Reading a file's content, no matter whether it is stored plain or gzip-compressed.
//!
//! Compression is recognised by its magic bytes, never by a file name. Memory grows with what
//! is really there, never with what a header claims, and stops at the caller's limit.

use std::fmt;
use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The most that one call of the system reads: a process that is to stop ends between two calls.
const PIECE: u64 = 16 << 20;

/// The reason why content could not be read.
#[derive(Debug)]
pub(crate) enum ContentError {
    /// The bytes could not be read, or the gzip stream is broken.
    Io(io::Error),
    /// There is more than the caller allows.
    TooLarge {
        /// The most bytes allowed, uncompressed.
        limit: u64,
    },
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "could not be read: {error}"),
            Self::TooLarge { limit } => {
                write!(f, "holds more than the {limit} bytes expected")
            }
        }
    }
}

impl From<io::Error> for ContentError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ContentError> for io::Error {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Io(error) => error,
            ContentError::TooLarge { .. } => Self::other(error.to_string()),
        }
    }
}

/// A reader of the uncompressed content of `reader`.
pub(crate) fn uncompressed<'a>(mut reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::with_capacity(GZIP_MAGIC.len());
    reader
        .by_ref()
        .take(GZIP_MAGIC.len() as u64)
        .read_to_end(&mut start)?;
    let gzip = start == GZIP_MAGIC;
    let whole = Cursor::new(start).chain(reader);
    Ok(if gzip {
        Box::new(MultiGzDecoder::new(whole))
    } else {
        Box::new(whole)
    })
}

/// The uncompressed content of `reader`, of at most `limit` bytes.
pub(crate) fn read_uncompressed(reader: impl Read, limit: u64) -> Result<Vec<u8>, ContentError> {
    read_limited(uncompressed(reader)?, limit)
}

/// Everything in `reader`, of at most `limit` bytes.
pub(crate) fn read_limited(reader: impl Read, limit: u64) -> Result<Vec<u8>, ContentError> {
    let mut bytes = Vec::new();
    let mut rest = reader.take(limit.saturating_add(1));
    while rest.by_ref().take(PIECE).read_to_end(&mut bytes)? > 0 {}
    if bytes.len() as u64 > limit {
        return Err(ContentError::TooLarge { limit });
    }
    Ok(bytes)
}

#[cfg(test)]
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_gzip_read_alike() {
        let long = vec![7; 100_000];
        for bytes in [&b""[..], b"a", b"ab", b"abc", &long] {
            assert_eq!(read_uncompressed(bytes, 100_000).unwrap(), bytes);
            assert_eq!(read_uncompressed(&*gzip(bytes), 100_000).unwrap(), bytes);
        }
    }

    #[test]
    fn a_gzip_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![0; 10_000_000]);
        let error = read_uncompressed(&*bomb, 1000).unwrap_err();
        assert_eq!(error.to_string(), "holds more than the 1000 bytes expected");
    }

    #[test]
    fn a_cut_gzip_stream_is_an_error() {
        let whole = gzip(&[1; 1000]);
        let error = read_uncompressed(&whole[..whole.len() - 4], 1000).unwrap_err();
        assert!(matches!(error, ContentError::Io(_)), "{error}");
    }
}
