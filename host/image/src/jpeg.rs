//! JPEG: that the file is whole, and its pixels as RGB.

use memchr::memchr;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::orientation::Orientation;
use super::{ImageError, Source, byte_count, check_size};

const FORMAT: &str = "JPEG";

/// The start of image, and the first byte of the marker after it.
const MAGIC: [u8; 3] = [0xff, 0xd8, 0xff];

/// More scans than a sensible progressive image has; each costs a pass over all coefficients.
const MOST_SCANS: usize = 100;

pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    // A file that is cut off within the magic is a cut-off JPEG, not an unknown format.
    bytes.starts_with(&MAGIC) || (bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes))
}

/// Decodes into the front of `pixels`, interleaved.
pub(super) fn decode(bytes: &[u8], pixels: &mut Vec<u8>) -> Result<Source, ImageError> {
    // The decoder fills up what is missing without a word, so the end is looked for first; its
    // strict mode then refuses codes that mean nothing. Data that are missing before an end that
    // is there, and leave codes that mean something, cannot be told from a picture.
    if !has_end(bytes) {
        return Err(ImageError::Truncated { format: FORMAT });
    }
    let options = DecoderOptions::new_fast()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MOST_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| refused(&error))?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let (width, height) = (width as u32, height as u32);
    check_size(width, height)?;
    pixels.resize(byte_count(width, height), 0);
    decoder
        .decode_into(pixels)
        .map_err(|error| refused(&error))?;
    let orientation = decoder.exif().map(|exif| Orientation::of(exif.clone()));
    Ok(Source {
        width,
        height,
        orientation: orientation.unwrap_or(Orientation::UPRIGHT),
    })
}

fn refused(error: &DecodeErrors) -> ImageError {
    match error {
        DecodeErrors::ExhaustedData => ImageError::Truncated { format: FORMAT },
        // Of some errors only the debugging text says something.
        error => ImageError::Undecodable {
            format: FORMAT,
            reason: format!("{error:?}"),
        },
    }
}

/// Looks for the end-of-image marker, at the level of the image and not in a segment such
/// as the thumbnail of EXIF (ITU-T T.81, B.1.1).
fn has_end(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some(start) = memchr(0xff, rest) {
        rest = &rest[start..];
        let Some(fill) = rest.iter().position(|&byte| byte != 0xff) else {
            return false;
        };
        let code = rest[fill];
        rest = &rest[fill + 1..];
        match code {
            END => return true,
            // A stuffed 0xff of entropy-coded data, and markers that stand alone.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let Some(&[high, low]) = rest.first_chunk() else {
                    return false;
                };
                let length = usize::from(u16::from_be_bytes([high, low]));
                rest = rest.get(length..).unwrap_or_default();
            }
        }
    }
    false
}
