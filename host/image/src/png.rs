//! PNG: every colour type and depth as 8-bit RGB.

use std::borrow::Cow;
use std::io::{Cursor, ErrorKind};

use ::png::{ColorType, Decoder, DecodingError, Limits, Transformations};

use super::orientation::Orientation;
use super::{ImageError, MAX_PIXELS, Source, byte_count, check_size};

const FORMAT: &str = "PNG";
const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Bytes that the decoder may allocate beside the pixels themselves.
const MEMORY: usize = MAX_PIXELS as usize;

pub(super) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || (bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes))
}

/// Decodes into the front of `pixels`, interleaved.
pub(super) fn decode(bytes: &[u8], pixels: &mut Vec<u8>) -> Result<Source, ImageError> {
    let limits = Limits { bytes: MEMORY };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let header = decoder.read_header_info().map_err(refused)?;
    let (width, height) = (header.width, header.height);
    check_size(width, height)?;
    let mut reader = decoder.read_info().map_err(refused)?;
    let size = reader
        .output_buffer_size()
        .ok_or(ImageError::Size { width, height })?;
    let mut samples = vec![0; size];
    reader.next_frame(&mut samples).map_err(refused)?;
    // Reads the rest of the file too: a file without its end is cut off.
    reader.finish().map_err(refused)?;

    pixels.resize(byte_count(width, height), 0);
    let to = pixels.chunks_exact_mut(3);
    match reader.output_color_type().0 {
        ColorType::Grayscale => spread(to, samples.chunks_exact(1)),
        ColorType::GrayscaleAlpha => spread(to, samples.chunks_exact(2)),
        ColorType::Rgba => copy(to, samples.chunks_exact(4)),
        // The transformation expands palettes.
        ColorType::Rgb | ColorType::Indexed => copy(to, samples.chunks_exact(3)),
    }
    let exif = reader.info().exif_metadata.as_ref();
    let orientation = exif.map(|exif| Orientation::of(Cow::clone(exif).into_owned()));
    Ok(Source {
        width,
        height,
        orientation: orientation.unwrap_or(Orientation::UPRIGHT),
    })
}

/// Grey, followed by alpha or not, into all three channels.
fn spread<'a>(to: impl Iterator<Item = &'a mut [u8]>, from: impl Iterator<Item = &'a [u8]>) {
    to.zip(from).for_each(|(to, from)| to.fill(from[0]));
}

/// Three channels, followed by alpha or not.
fn copy<'a>(to: impl Iterator<Item = &'a mut [u8]>, from: impl Iterator<Item = &'a [u8]>) {
    to.zip(from)
        .for_each(|(to, from)| to.copy_from_slice(&from[..3]));
}

fn refused(error: DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            ImageError::Truncated { format: FORMAT }
        }
        error => ImageError::Undecodable {
            format: FORMAT,
            reason: error.to_string(),
        },
    }
}
