//! Image tables: fixed-size byte images and their labels in an Arrow IPC file.
//!
//! A table is written once, in record batches of a fixed number of rows, and then opened by
//! memory map, so that opening costs no copy and batches are gathered straight from the page
//! cache. What a file claims is checked before it is believed; nothing here knows where images
//! come from.

mod decode;
mod error;
mod layout;
mod scaling;
mod write;

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::buffer::Buffer;
use bytes::Bytes;
use memmap2::Mmap;

pub use self::error::{GatherError, TableError, TableFault};
pub use self::layout::{ImageShape, InvalidShape, MAX_CLASSES};
pub use self::scaling::Scaling;
pub use self::write::{ROWS_PER_BATCH, TableWriter, WriteError};

use self::decode::Batch;

/// An opened image table.
///
/// Cloning is cheap and shares the map. Reading is thread-safe.
#[derive(Clone, Debug)]
pub struct ImageTable {
    path: PathBuf,
    shape: ImageShape,
    classes: u32,
    rows: u32,
    /// Rows of every batch but the last, which may have fewer; at least 1.
    rows_per_batch: u32,
    batches: Vec<Batch>,
    scaling: Scaling,
}

impl ImageTable {
    /// Opens the table at `path`, checking its schema, its bounds and every label.
    ///
    /// The file must not change while it is open; objects of a store never do.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let fault = |fault| TableError {
            path: path.to_owned(),
            fault,
        };
        let buffer = map(path).map_err(|error| fault(error.into()))?;
        let decoded = decode::decode(&buffer).map_err(fault)?;
        Ok(Self {
            path: path.to_owned(),
            shape: decoded.shape,
            classes: decoded.classes,
            rows: decoded.rows,
            rows_per_batch: decoded.rows_per_batch,
            batches: decoded.batches,
            scaling: Scaling::UnitInterval,
        })
    }

    /// The same table, read with another scaling of pixels.
    #[must_use]
    pub fn with_scaling(self, scaling: Scaling) -> Self {
        Self { scaling, ..self }
    }

    /// Where the table lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of images.
    pub fn len(&self) -> u32 {
        self.rows
    }

    /// Whether the table has no image.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The shape of every image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The number of classes; every label is below it.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// Copies the images and labels at `indices`, in that order, into a batch.
    ///
    /// `images` has the layout (B, C, H, W), scaled (METHODS "Data"), and `labels` (B), where
    /// B is the number of indices. An index may repeat. After an error the contents of the two
    /// slices are unspecified.
    pub fn gather(
        &self,
        indices: &[u32],
        images: &mut [f32],
        labels: &mut [i64],
    ) -> Result<(), GatherError> {
        let pixels = self.shape.pixels();
        let expected = indices.len().saturating_mul(pixels);
        if images.len() != expected || labels.len() != indices.len() {
            return Err(GatherError::WrongLength {
                batch: indices.len(),
                expected,
                images: images.len(),
                labels: labels.len(),
            });
        }
        let places = images.chunks_exact_mut(pixels).zip(labels);
        for (&index, (image, label)) in indices.iter().zip(places) {
            let (source, class) = self.row(index).ok_or(GatherError::OutOfRange {
                index,
                rows: self.rows,
            })?;
            *label = class;
            self.scaling.apply(source, image);
        }
        Ok(())
    }

    fn row(&self, index: u32) -> Option<(&[u8], i64)> {
        let batch = self.batches.get((index / self.rows_per_batch) as usize)?;
        batch.row((index % self.rows_per_batch) as usize)
    }
}

#[allow(
    unsafe_code,
    reason = "mapping a file is unsafe; the argument is given at the block"
)]
fn map(path: &Path) -> std::io::Result<Buffer> {
    let file = File::open(path)?;
    // SAFETY: the map is only read, and nobody changes the file under it: a table is written
    // under a temporary name and renamed when it is complete, and objects of a store are
    // read-only and never modified in place (DESIGN section 2).
    let map = unsafe { Mmap::map(&file)? };
    Ok(Buffer::from(Bytes::from_owner(map)))
}

#[cfg(test)]
mod tests;
