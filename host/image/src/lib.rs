//! Image files as datasets need them: from the bytes of a JPEG or PNG to 8-bit pixels of a fixed
//! form, upright, in layout (C, H, W).
//!
//! The format is told by content, never by name, and a file that is cut off, damaged or no image
//! is an error, never a guess. Where bytes come from is not known here.
//!
//! The pixels are the same on every machine: entropy decoding, inverse DCT, colour conversion and
//! resampling work in integers, with vector instructions and without, and the resampling weights
//! come from additions, multiplications and divisions in 64-bit floats, which IEEE 754 fixes. They
//! depend on the versions of `zune-jpeg`, `png` and `fast_image_resize`: a change of pixels by one
//! of them raises the revision of the dataset stage.

#![deny(unsafe_code)]

mod error;
mod jpeg;
mod orientation;
mod png;
mod shape;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

pub use self::error::ImageError;
pub use self::shape::{ImageShape, InvalidShape};

use self::orientation::Orientation;

/// More bytes than any image file has. One byte more is read of a larger file, so that it is
/// noticed.
pub const MAX_BYTES: u64 = 1 << 28;

/// The most pixels of a source image, those of 400 MB: what a header claims beyond this is refused
/// before memory is asked for.
pub const MAX_PIXELS: u64 = 1 << 27;

/// The most rows and columns that an image can be resized to.
pub const MAX_SIZE: u32 = 4096;

/// The rows and columns of ImageNet's images, unless stated (docs/methods.md, Data).
pub const DEFAULT_SIZE: u32 = 224;

/// A `"crop"` to 224 comes out of an image whose shorter side is 256, any other in proportion.
const CROP_TO_SHORTER_SIDE: f64 = 224.0 / 256.0;

/// The way in which an image becomes square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Geometry {
    /// Straight to the square, whatever becomes of the proportions (docs/methods.md, Data).
    #[default]
    Stretch,
    /// The centred square whose side is 224/256 of the shorter side: for a size of 224, the
    /// usual "shorter side to 256, then the centre".
    Crop,
}

/// The form into which a decoder brings every image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Rows and columns, from 1 to [`MAX_SIZE`]; each image's own where it is `None`.
    pub size: Option<u32>,
    /// The way in which an image becomes square, where a size is set.
    pub geometry: Geometry,
    /// True if images become grey: Y = 0.299 R + 0.587 G + 0.114 B, rounded (ITU-R BT.601).
    pub grey: bool,
}

/// A decoded image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedImage {
    /// Channels (1 or 3), rows and columns.
    pub shape: ImageShape,
    /// The pixels in layout (C, H, W).
    pub pixels: Vec<u8>,
}

/// Decodes images one after the other, keeping its working memory.
///
/// Alpha is dropped, not blended, and 16-bit samples keep their upper 8 bits; CMYK is taken as
/// Adobe stores it, inverted. An orientation that EXIF states is undone; EXIF that cannot be read
/// states none. Resampling is bilinear with antialiasing: a triangle filter as wide as the
/// reduction, as Pillow's and torchvision's `BILINEAR`.
pub struct Decoder {
    form: Form,
    resizer: Resizer,
    /// The image as stored, RGB interleaved.
    source: Vec<u8>,
    /// The image turned upright, where `source` is not.
    turned: Vec<u8>,
    /// The image resized, where a size is set.
    resized: Vec<u8>,
}

/// Size and orientation of the pixels that a format's decoder wrote.
struct Source {
    width: u32,
    height: u32,
    orientation: Orientation,
}

impl Decoder {
    /// A decoder of images into `form`.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            resizer: Resizer::new(),
            source: Vec::new(),
            turned: Vec::new(),
            resized: Vec::new(),
        }
    }

    /// Decodes the file content `bytes`.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<DecodedImage, ImageError> {
        let source = if bytes.is_empty() {
            return Err(ImageError::Empty);
        } else if bytes.len() as u64 > MAX_BYTES {
            return Err(ImageError::TooManyBytes);
        } else if jpeg::is_jpeg(bytes) {
            jpeg::decode(bytes, &mut self.source)?
        } else if png::is_png(bytes) {
            png::decode(bytes, &mut self.source)?
        } else {
            let start = bytes.iter().copied().take(8).collect();
            return Err(ImageError::UnknownFormat(start));
        };
        let [mut width, mut height] = [source.width, source.height];
        if source.orientation != Orientation::UPRIGHT {
            [width, height] =
                source
                    .orientation
                    .undo([width, height], &self.source, &mut self.turned);
            std::mem::swap(&mut self.source, &mut self.turned);
        }
        let Some(size) = self.form.size else {
            return arrange(&self.source, [width, height], self.form.grey);
        };
        self.resize([width, height], size)?;
        arrange(&self.resized, [size, size], self.form.grey)
    }

    /// Resamples the upright image in `source` into `resized`.
    fn resize(&mut self, [width, height]: [u32; 2], size: u32) -> Result<(), ImageError> {
        let refused = |error: &dyn std::fmt::Display| ImageError::Resize(error.to_string());
        let length = byte_count(width, height);
        let source = self.source.get(..length).unwrap_or_default();
        let source = TypedImageRef::<U8x3>::from_buffer(width, height, source)
            .map_err(|error| refused(&error))?;
        self.resized.resize(byte_count(size, size), 0);
        let mut target = TypedImage::<U8x3>::from_buffer(size, size, &mut self.resized)
            .map_err(|error| refused(&error))?;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .use_alpha(false);
        let options = match self.form.geometry {
            Geometry::Stretch => options,
            Geometry::Crop => {
                let square = f64::from(width.min(height)) * CROP_TO_SHORTER_SIDE;
                let [left, top] = [width, height].map(|length| (f64::from(length) - square) / 2.0);
                options.crop(left, top, square, square)
            }
        };
        // `resize` would have the code of every type of pixel compiled, ten times as much.
        self.resizer
            .resize_typed(&source, &mut target, &options)
            .map_err(|error| refused(&error))
    }
}

/// The bytes of an interleaved RGB image.
fn byte_count(width: u32, height: u32) -> usize {
    width as usize * height as usize * 3
}

/// Refuses an image that is too large, or has no pixel, before memory is asked for.
fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
    let pixels = u64::from(width) * u64::from(height);
    if (1..=MAX_PIXELS).contains(&pixels) {
        Ok(())
    } else {
        Err(ImageError::Size { width, height })
    }
}

/// Interleaved RGB as planes, or as grey.
fn arrange(rgb: &[u8], [width, height]: [u32; 2], grey: bool) -> Result<DecodedImage, ImageError> {
    let channels = if grey { 1 } else { 3 };
    let shape =
        ImageShape::new(channels, height, width).map_err(|_| ImageError::Size { width, height })?;
    let rgb = rgb.chunks_exact(3);
    let mut pixels = vec![0; shape.pixels()];
    if grey {
        for (grey, rgb) in pixels.iter_mut().zip(rgb) {
            *grey = luminance([rgb[0], rgb[1], rgb[2]]);
        }
    } else {
        let plane = shape.pixels() / 3;
        let (red, others) = pixels.split_at_mut(plane);
        let (green, blue) = others.split_at_mut(plane);
        for (((red, green), blue), rgb) in red.iter_mut().zip(green).zip(blue).zip(rgb) {
            (*red, *green, *blue) = (rgb[0], rgb[1], rgb[2]);
        }
    }
    Ok(DecodedImage { shape, pixels })
}

/// The luminance in 16-bit fixed point; grey stays as it is, since the weights sum to 2¹⁶.
fn luminance(rgb: [u8; 3]) -> u8 {
    const WEIGHTS: [u32; 3] = [19_595, 38_470, 7_471];
    let sum: u32 = WEIGHTS
        .iter()
        .zip(rgb)
        .map(|(weight, value)| weight * u32::from(value))
        .sum();
    ((sum + (1 << 15)) >> 16) as u8
}
