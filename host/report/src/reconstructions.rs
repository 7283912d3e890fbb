//! The first images of the test set with what a network that reconstructs makes of them.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};

use crate::metrics::{State, name};
use crate::table::{
    Columns, Decode, Encode, Form, TableError, TableProblem, read_rows, write_rows,
};

/// An image and its reconstruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconstructionRow {
    /// The saved state that reconstructs.
    pub state: State,
    /// The image's place in the test set, counted from 0.
    pub image: u32,
    /// Channels of the image: 1 for grey, 3 for red, green and blue.
    pub channels: u32,
    /// Its height in pixels.
    pub height: u32,
    /// Its width in pixels.
    pub width: u32,
    /// Its pixels, in the layout (C, H, W).
    pub pixels: Vec<u8>,
    /// Those of the reconstruction, rounded to pixels.
    pub reconstruction: Vec<u8>,
}

/// Writes the reconstructions to `path` (`reconstructions.parquet`), as [`crate::write_metrics`] does.
///
/// # Errors
/// A file that cannot be written.
pub fn write_reconstructions(path: &Path, rows: &[ReconstructionRow]) -> Result<(), TableError> {
    write_rows(path, rows)
}

/// Reads the reconstructions. The file is not trusted.
///
/// # Errors
/// As [`crate::read_metrics`]; an image that has not as many pixels as its shape says.
pub fn read_reconstructions(path: &Path) -> Result<Vec<ReconstructionRow>, TableError> {
    read_rows(path)
}

impl Encode for ReconstructionRow {
    fn form(_: &[Self]) -> Form {
        let count = |name: &str| Field::new(name, DataType::UInt32, false);
        Form {
            table: "reconstructions",
            units: "one row per saved state and image, the first of the test set; image: its place there, from \
                    0; pixels, reconstruction: 8-bit pixels in the layout (C, H, W)".into(),
            schema: Schema::new(vec![
                Field::new("state", DataType::Utf8, false),
                count("image"),
                count("channels"),
                count("height"),
                count("width"),
                Field::new("pixels", DataType::Binary, false),
                Field::new("reconstruction", DataType::Binary, false),
            ]),
        }
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        let count = |of: fn(&Self) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(of)))
        };
        let bytes = |of: fn(&Self) -> &[u8]| -> ArrayRef {
            Arc::new(BinaryArray::from_iter_values(rows.iter().map(of)))
        };
        let states = rows.iter().map(|row| row.state.as_str());
        Ok(vec![
            Arc::new(StringArray::from_iter_values(states)),
            count(|row| row.image),
            count(|row| row.channels),
            count(|row| row.height),
            count(|row| row.width),
            bytes(|row| &row.pixels),
            bytes(|row| &row.reconstruction),
        ])
    }
}

impl Decode for ReconstructionRow {
    fn forms() -> Vec<Form> {
        vec![Self::form(&[])]
    }

    fn rows(batch: &Columns<'_>) -> Result<Vec<Self>, TableProblem> {
        let states: &StringArray = batch.get("state")?;
        let images: &UInt32Array = batch.get("image")?;
        let channels: &UInt32Array = batch.get("channels")?;
        let heights: &UInt32Array = batch.get("height")?;
        let widths: &UInt32Array = batch.get("width")?;
        let pixels: &BinaryArray = batch.get("pixels")?;
        let reconstructions: &BinaryArray = batch.get("reconstruction")?;
        let row = |row: usize| {
            let (channels, height, width) =
                (channels.value(row), heights.value(row), widths.value(row));
            if ![1, 3].contains(&channels) {
                return Err(batch.problem(row, "channels", &"images have 1 or 3 channels"));
            }
            let size =
                [channels, height, width].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
            let size = size.into_iter().try_fold(1_usize, usize::checked_mul);
            let read = |column: &BinaryArray, name| {
                let bytes = column.value(row);
                if Some(bytes.len()) != size || bytes.is_empty() {
                    return Err(batch.problem(row, name, &"it has not the pixels of its shape"));
                }
                Ok(bytes.to_vec())
            };
            Ok(Self {
                state: name(batch, states, row, "state")?,
                image: images.value(row),
                channels,
                height,
                width,
                pixels: read(pixels, "pixels")?,
                reconstruction: read(reconstructions, "reconstruction")?,
            })
        };
        (0..batch.len()).map(row).collect()
    }
}
