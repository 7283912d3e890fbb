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
pub use self::scaling::{InvalidStandardisation, Scaling, Standardisation};
pub use self::write::{ROWS_PER_BATCH, TableWriter, WriteError};

use self::decode::Batch;
use self::layout::Layout;
use crate::augment::EpochAugmentation;

/// An opened image table.
///
/// Cloning is cheap and shares the map. Reading is thread-safe.
#[derive(Clone, Debug)]
pub struct ImageTable {
    path: PathBuf,
    layout: Layout,
    rows: u32,
    /// Rows of every batch but the last, which may have fewer; at least 1.
    rows_per_batch: u32,
    batches: Vec<Batch>,
}

impl ImageTable {
    /// Opens the table at `path`, checking its schema, its bounds and every label.
    ///
    /// The file must not change while it is open; objects of a store never do.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        map(path)
            .map_err(TableFault::from)
            .and_then(|buffer| Self::decode(path, &buffer))
            .map_err(|fault| TableError {
                path: path.to_owned(),
                fault,
            })
    }

    fn decode(path: &Path, content: &Buffer) -> Result<Self, TableFault> {
        let decoded = decode::decode(content)?;
        Ok(Self {
            path: path.to_owned(),
            layout: decoded.layout,
            rows: decoded.rows,
            rows_per_batch: decoded.rows_per_batch,
            batches: decoded.batches,
        })
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
        self.layout.shape
    }

    /// The number of classes; every label is below it.
    pub fn classes(&self) -> u32 {
        self.layout.classes
    }

    /// How pixels become numbers in what is gathered.
    pub fn scaling(&self) -> &Scaling {
        &self.layout.scaling
    }

    /// Copies the images and labels at `indices`, in that order, into a batch.
    ///
    /// `images` has the layout (B, C, H, W), scaled as [`scaling`](Self::scaling) says, and
    /// `labels` (B), where B is the number of indices. An index may repeat. After an error the
    /// contents of the two slices are unspecified.
    pub fn gather(
        &self,
        indices: &[u32],
        images: &mut [f32],
        labels: &mut [i64],
    ) -> Result<(), GatherError> {
        self.gather_each(indices, images, labels, |_, pixels, image| {
            self.layout.scaling.apply(pixels, image);
        })
    }

    /// Gathers as [`gather`](Self::gather) does, each image augmented before it is scaled.
    pub fn gather_augmented(
        &self,
        indices: &[u32],
        augmentation: &EpochAugmentation,
        images: &mut [f32],
        labels: &mut [i64],
    ) -> Result<(), GatherError> {
        let shape = self.layout.shape;
        let mut augmented = vec![0; shape.pixels()];
        self.gather_each(indices, images, labels, |index, pixels, image| {
            augmentation
                .draw(index)
                .apply(shape, pixels, &mut augmented);
            self.layout.scaling.apply(&augmented, image);
        })
    }

    /// Calls `convert` with each index, its pixels and the place of its image in the batch.
    fn gather_each(
        &self,
        indices: &[u32],
        images: &mut [f32],
        labels: &mut [i64],
        mut convert: impl FnMut(u32, &[u8], &mut [f32]),
    ) -> Result<(), GatherError> {
        let pixels = self.layout.shape.pixels();
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
            convert(index, source, image);
        }
        Ok(())
    }

    /// The pixels of image `index`, as stored, in layout (C, H, W), and its label.
    pub fn row(&self, index: u32) -> Option<(&[u8], i64)> {
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
