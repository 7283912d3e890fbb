//! Tests of images of every kind, sound and damaged, against pixels written down by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop there"
)]

use std::borrow::Cow;

use jpeg_encoder::{ColorType as JpegColour, Encoder as JpegEncoder};
use proptest::prelude::*;

use assay_image::{DecodedImage, Decoder, Form, Geometry, ImageError, ImageShape};

const COLOUR: Form = Form {
    size: None,
    geometry: Geometry::Stretch,
    grey: false,
};

fn decode(form: Form, bytes: &[u8]) -> Result<DecodedImage, ImageError> {
    Decoder::new(form).decode(bytes)
}

/// A picture without symmetry: each pixel tells its place.
fn picture(width: u16, height: u16, channels: usize) -> Vec<u8> {
    let mut pixels = Vec::new();
    for row in 0..usize::from(height) {
        for column in 0..usize::from(width) {
            let values = [3 * row + 1, 5 * column + 2, row + 2 * column, 200 - row];
            pixels.extend(values.iter().take(channels).map(|&value| value as u8));
        }
    }
    pixels
}

fn jpeg(pixels: &[u8], [width, height]: [u16; 2], colour: JpegColour) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new(&mut bytes, 100)
        .encode(pixels, width, height, colour)
        .unwrap();
    bytes
}

fn progressive(pixels: &[u8], [width, height]: [u16; 2]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new(&mut bytes, 90);
    encoder.set_progressive(true);
    encoder
        .encode(pixels, width, height, JpegColour::Rgb)
        .unwrap();
    bytes
}

fn png_info(width: u32, height: u32, colour: ::png::ColorType) -> ::png::Info<'static> {
    let mut info = ::png::Info::with_size(width, height);
    info.color_type = colour;
    info.bit_depth = ::png::BitDepth::Eight;
    info
}

fn png_of(info: ::png::Info<'static>, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = ::png::Encoder::with_info(&mut bytes, info).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A colour PNG of [`picture`].
fn png(width: u16, height: u16) -> Vec<u8> {
    let info = png_info(width.into(), height.into(), ::png::ColorType::Rgb);
    png_of(info, &picture(width, height, 3))
}

/// EXIF data, from the TIFF header on, that state this orientation.
fn exif(orientation: u16) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend(1_u16.to_le_bytes());
    tiff.extend(0x0112_u16.to_le_bytes());
    tiff.extend(3_u16.to_le_bytes());
    tiff.extend(1_u32.to_le_bytes());
    tiff.extend(u32::from(orientation).to_le_bytes());
    tiff.extend([0; 4]);
    tiff
}

/// The largest difference between two images of one shape.
fn distance(one: &DecodedImage, other: &[u8]) -> u8 {
    assert_eq!(one.pixels.len(), other.len());
    let differences = one.pixels.iter().zip(other).map(|(a, b)| a.abs_diff(*b));
    differences.max().unwrap()
}

/// Interleaved pixels as planes.
fn planes(pixels: &[u8]) -> Vec<u8> {
    let channel = |at| pixels.iter().skip(at).step_by(3).copied();
    (0..3).flat_map(channel).collect()
}

#[test]
fn formats_of_one_picture_decode_alike() {
    let (pixels, size) = (picture(20, 12, 3), [20, 12]);
    let expected = planes(&pixels);
    let lossless = decode(COLOUR, &png(20, 12)).unwrap();
    assert_eq!(lossless.shape, ImageShape::new(3, 12, 20).unwrap());
    assert_eq!(lossless.pixels, expected);
    // At the highest quality a smooth picture changes by a few levels.
    let baseline = decode(COLOUR, &jpeg(&pixels, size, JpegColour::Rgb)).unwrap();
    assert!(distance(&baseline, &expected) <= 6, "{baseline:?}");
    let progressive = decode(COLOUR, &progressive(&pixels, size)).unwrap();
    assert!(distance(&progressive, &expected) <= 20, "{progressive:?}");
}

#[test]
fn grey_becomes_three_equal_channels() {
    let pixels = picture(20, 12, 1);
    let expected = pixels.repeat(3);
    let decoded = decode(COLOUR, &jpeg(&pixels, [20, 12], JpegColour::Luma)).unwrap();
    assert!(distance(&decoded, &expected) <= 3);
    let info = png_info(20, 12, ::png::ColorType::Grayscale);
    assert_eq!(
        decode(COLOUR, &png_of(info, &pixels)).unwrap().pixels,
        expected
    );
}

#[test]
fn inks_become_light() {
    // The encoder inverts as Adobe does: 0 is no ink.
    let (paper, cyan, black) = ([0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]);
    for colour in [JpegColour::Cmyk, JpegColour::CmykAsYcck] {
        for (ink, light) in [(paper, [255; 3]), (cyan, [0, 255, 255]), (black, [0; 3])] {
            let decoded = decode(COLOUR, &jpeg(&ink.repeat(64), [8, 8], colour)).unwrap();
            assert!(
                distance(&decoded, &planes(&light.repeat(64))) <= 3,
                "{ink:?} {decoded:?}"
            );
        }
    }
}

#[test]
fn png_of_every_kind_becomes_rgb() {
    let rgba = png_of(
        png_info(2, 1, ::png::ColorType::Rgba),
        &[1, 2, 3, 0, 4, 5, 6, 255],
    );
    assert_eq!(decode(COLOUR, &rgba).unwrap().pixels, [1, 4, 2, 5, 3, 6]);

    let grey_alpha = png_of(
        png_info(2, 1, ::png::ColorType::GrayscaleAlpha),
        &[7, 0, 9, 50],
    );
    assert_eq!(
        decode(COLOUR, &grey_alpha).unwrap().pixels,
        [7, 9, 7, 9, 7, 9]
    );

    let mut deep = png_info(1, 1, ::png::ColorType::Rgb);
    deep.bit_depth = ::png::BitDepth::Sixteen;
    let deep = png_of(deep, &[10, 255, 20, 0, 30, 128]);
    assert_eq!(decode(COLOUR, &deep).unwrap().pixels, [10, 20, 30]);

    let mut palette = png_info(4, 1, ::png::ColorType::Indexed);
    palette.bit_depth = ::png::BitDepth::Two;
    palette.palette = Some(Cow::Owned(vec![1, 2, 3, 40, 50, 60, 7, 8, 9]));
    palette.trns = Some(Cow::Owned(vec![0]));
    let palette = png_of(palette, &[0b00_01_10_01]);
    let expected = [1, 40, 7, 40, 2, 50, 8, 50, 3, 60, 9, 60];
    assert_eq!(decode(COLOUR, &palette).unwrap().pixels, expected);
}

/// Stores `upright` as EXIF describes the orientation: where its first row and column lie.
fn store(upright: &[[u8; 3]], [width, height]: [usize; 2], orientation: u16) -> Vec<u8> {
    let (rows, columns) = if orientation >= 5 {
        (width, height)
    } else {
        (height, width)
    };
    let mut stored = vec![[0; 3]; width * height];
    for row in 0..height {
        for column in 0..width {
            let (at_row, at_column) = match orientation {
                1 => (row, column),
                2 => (row, columns - 1 - column),
                3 => (rows - 1 - row, columns - 1 - column),
                4 => (rows - 1 - row, column),
                5 => (column, row),
                6 => (rows - 1 - column, row),
                7 => (rows - 1 - column, columns - 1 - row),
                _ => (column, columns - 1 - row),
            };
            stored[at_row * columns + at_column] = upright[row * width + column];
        }
    }
    stored.concat()
}

#[test]
fn every_orientation_is_undone() {
    let pixels = picture(5, 3, 3);
    let upright: Vec<_> = pixels.as_chunks::<3>().0.to_vec();
    for orientation in 1..=8 {
        let stored = store(&upright, [5, 3], orientation);
        let [width, height] = if orientation >= 5 { [3, 5] } else { [5, 3] };
        let mut info = png_info(width, height, ::png::ColorType::Rgb);
        info.exif_metadata = Some(Cow::Owned(exif(orientation)));
        let decoded = decode(COLOUR, &png_of(info, &stored)).unwrap();
        assert_eq!(decoded.shape, ImageShape::new(3, 3, 5).unwrap());
        assert_eq!(decoded.pixels, planes(&pixels), "orientation {orientation}");
    }
}

#[test]
fn a_rotated_jpeg_is_turned_and_nonsense_in_exif_is_not_believed() {
    let (pixels, size) = (picture(24, 16, 3), [24, 16]);
    let decoded = |exif: &[u8]| {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes, 100);
        encoder.add_exif_metadata(exif).unwrap();
        encoder
            .encode(&pixels, size[0], size[1], JpegColour::Rgb)
            .unwrap();
        decode(COLOUR, &bytes).unwrap()
    };
    let turned = decoded(&exif(6));
    assert_eq!(turned.shape, ImageShape::new(3, 24, 16).unwrap());
    // Shown turned clockwise, the first row is the first column from the bottom up.
    let red: Vec<u8> = (0..16).map(|column| 3 * (15 - column) + 1).collect();
    assert!(
        turned.pixels[..16]
            .iter()
            .zip(red)
            .all(|(a, b)| a.abs_diff(b) <= 6)
    );
    for nonsense in [&exif(6)[..9], &exif(0), &exif(9), b"II*\0\xff\xff\xff\xff"] {
        let shape = decoded(nonsense).shape;
        assert_eq!(shape, ImageShape::new(3, 16, 24).unwrap());
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let pixels = picture(40, 24, 3);
    let with_thumbnail = {
        // A segment that holds the markers of a whole image.
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes, 90);
        let inner = jpeg(&picture(8, 8, 3), [8, 8], JpegColour::Rgb);
        encoder.add_app_segment(3, inner).unwrap();
        encoder.encode(&pixels, 40, 24, JpegColour::Rgb).unwrap();
        bytes
    };
    let whole = [
        jpeg(&pixels, [40, 24], JpegColour::Rgb),
        jpeg(&picture(40, 24, 1), [40, 24], JpegColour::Luma),
        progressive(&pixels, [40, 24]),
        with_thumbnail,
        png(40, 24),
    ];
    for bytes in whole {
        assert!(decode(COLOUR, &bytes).is_ok());
        assert_eq!(decode(COLOUR, &[]), Err(ImageError::Empty));
        for length in 1..bytes.len() {
            let error = decode(COLOUR, &bytes[..length]).unwrap_err();
            let truncated = matches!(error, ImageError::Truncated { .. });
            assert!(truncated, "{length} of {}: {error}", bytes.len());
        }
    }
}

#[test]
fn what_follows_the_image_is_nobodys_business() {
    let bytes = jpeg(&picture(8, 8, 3), [8, 8], JpegColour::Rgb);
    let expected = decode(COLOUR, &bytes).unwrap();
    let longer = [&bytes[..], b"trailing", &[0; 100]].concat();
    assert_eq!(decode(COLOUR, &longer), Ok(expected));
}

#[test]
fn other_files_are_told_by_their_first_bytes() {
    let error = decode(COLOUR, b"GIF89a......").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("begins with bytes [47, 49, 46, 38, 39, 61"),
        "{text}"
    );
}

#[test]
fn a_header_that_claims_too_much_gets_no_memory() {
    let mut bomb = png(2, 2);
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    // The checksum of the header, which is checked first.
    let checksum = checksum(&bomb[12..29]).to_be_bytes();
    bomb[29..33].copy_from_slice(&checksum);
    let too_large = Err(ImageError::Size {
        width: 60_000,
        height: 60_000,
    });
    assert_eq!(decode(COLOUR, &bomb), too_large);

    let mut bomb = jpeg(&picture(8, 8, 3), [8, 8], JpegColour::Rgb);
    let frame = bomb
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    bomb[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    assert_eq!(decode(COLOUR, &bomb), too_large);
}

/// CRC-32 (ISO 3309), bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// A picture of vertical stripes: `levels` from left to right, each `width` columns wide.
fn stripes(levels: &[u8], width: usize, height: usize) -> Vec<u8> {
    let row: Vec<u8> = levels
        .iter()
        .flat_map(|&level| [level; 3].repeat(width))
        .collect();
    let columns = (levels.len() * width) as u32;
    let info = png_info(columns, height as u32, ::png::ColorType::Rgb);
    png_of(info, &row.repeat(height))
}

#[test]
fn stretching_takes_all_and_cropping_the_centre() {
    // 512 × 256: the crop leaves 16 of 256 rows on either side, and 144 of 512 columns.
    let wide = stripes(&[10, 90, 170, 250], 128, 256);
    let form = |geometry| Form {
        size: Some(224),
        geometry,
        grey: true,
    };
    let stretched = decode(form(Geometry::Stretch), &wide).unwrap();
    assert_eq!(stretched.shape, ImageShape::new(1, 224, 224).unwrap());
    let row = &stretched.pixels[..224];
    assert_eq!([row[20], row[80], row[140], row[200]], [10, 90, 170, 250]);
    let cropped = decode(form(Geometry::Crop), &wide).unwrap();
    let row = &cropped.pixels[..224];
    // The centre begins 144 columns in, where the second stripe has begun 16 before.
    assert_eq!([row[0], row[100], row[125], row[223]], [90, 90, 170, 170]);
}

#[test]
fn an_image_of_the_right_size_stays_as_it_is() {
    let form = Form {
        size: Some(16),
        geometry: Geometry::Stretch,
        grey: false,
    };
    assert_eq!(decode(form, &png(16, 16)), decode(COLOUR, &png(16, 16)));
}

#[test]
fn grey_is_the_luminance_and_grey_stays_grey() {
    let grey = Form {
        grey: true,
        ..COLOUR
    };
    let levels: Vec<u8> = (0..=255).collect();
    let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255].into_iter();
    let pixels: Vec<_> = colours
        .chain(levels.iter().flat_map(|&level| [level; 3]))
        .collect();
    let info = png_info(3 + 256, 1, ::png::ColorType::Rgb);
    let decoded = decode(grey, &png_of(info, &pixels)).unwrap().pixels;
    assert_eq!(decoded, [&[76, 150, 29], &levels[..]].concat());
}

/// Datasets made on other machines must come to these bytes.
#[test]
fn the_pixels_of_a_given_image_never_change() {
    let form = Form {
        size: Some(5),
        geometry: Geometry::Stretch,
        grey: true,
    };
    let resized = decode(form, &png(40, 24)).unwrap();
    assert_eq!(
        resized.pixels,
        [
            17, 40, 66, 91, 114, 22, 45, 70, 96, 118, 27, 50, 75, 101, 123, 31, 55, 80, 105, 128,
            36, 59, 84, 110, 132
        ]
    );
}

#[test]
fn the_decoder_gives_the_same_pixels_without_vector_instructions() {
    use zune_core::bytestream::ZCursor;
    use zune_core::colorspace::ColorSpace;
    use zune_core::options::DecoderOptions;
    use zune_jpeg::JpegDecoder;

    let pixels = picture(50, 37, 3);
    for bytes in [
        jpeg(&pixels, [50, 37], JpegColour::Rgb),
        progressive(&pixels, [50, 37]),
    ] {
        let options = DecoderOptions::new_safe().jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut plain = JpegDecoder::new_with_options(ZCursor::new(&bytes[..]), options);
        let expected = planes(&plain.decode().unwrap());
        assert_eq!(decode(COLOUR, &bytes).unwrap().pixels, expected);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(
        kind in 0_usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let pixels = picture(24, 16, 3);
        let mut bytes = match kind {
            0 => jpeg(&pixels, [24, 16], JpegColour::Rgb),
            1 => progressive(&pixels, [24, 16]),
            _ => png(24, 16),
        };
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let form = Form { size: Some(8), ..COLOUR };
        if let Ok(decoded) = decode(form, &bytes) {
            prop_assert_eq!(decoded.pixels.len(), 3 * 8 * 8);
        }
    }
}
