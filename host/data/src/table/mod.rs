//! Image tables: fixed-size byte images and their labels in an Arrow IPC file.
//!
//! A table is written once, in record batches of a fixed number of rows, and then opened by
//! memory map, so that opening costs no copy and batches are gathered straight from the page
//! cache: a table larger than memory is read like any other. A large table is several files, its
//! shards, opened as one. What a file claims is checked before it is believed; nothing here knows
//! where images come from.

mod decode;
mod error;
mod layout;
mod scaling;
mod write;

use std::path::{Path, PathBuf};

use arrow::buffer::Buffer;
use bytes::Bytes;
use memmap2::Mmap;

pub use self::error::{GatherError, TableError, TableFault};
pub use self::layout::MAX_CLASSES;
pub use self::scaling::{InvalidStandardisation, Scaling, Standardisation};
pub use self::write::{ROWS_PER_BATCH, TableWriter};
pub use crate::image::{ImageShape, InvalidShape};

use self::decode::{Batch, Decoded};
use self::layout::Layout;
use crate::augment::EpochAugmentation;

/// An opened image table, of one file or several.
///
/// Cloning is cheap and shares the maps. Reading is thread-safe.
#[derive(Clone, Debug)]
pub struct ImageTable {
    layout: Layout,
    rows: u32,
    shards: Vec<Shard>,
}

/// One file of a table.
#[derive(Clone, Debug)]
struct Shard {
    path: PathBuf,
    /// Rows of the shards before it.
    first: u32,
    /// Rows of every batch but the last, which may have fewer; at least 1.
    rows_per_batch: u32,
    batches: Vec<Batch>,
}

impl ImageTable {
    /// Opens the table at `path`, checking its schema, its bounds and every label.
    ///
    /// The file must not change while it is open; objects of a store never do.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        Self::open_one(path).map_err(|fault| fault.at(path))
    }

    /// Opens the shards at `paths`, in this order, as one table whose images are read with
    /// `scaling`, whatever the shards themselves say. Each is checked as [`open`](Self::open)
    /// does.
    pub fn open_shards(paths: &[PathBuf], scaling: Scaling) -> Result<Self, TableError> {
        let mut paths = paths.iter();
        let no_shard = || TableFault::NoShard.at(Path::new(""));
        let mut table = Self::open(paths.next().ok_or_else(no_shard)?)?;
        for path in paths {
            Self::open_one(path)
                .and_then(|shard| table.append(shard))
                .map_err(|fault| fault.at(path))?;
        }
        let channels = table.shape().channels();
        if let Scaling::Standardised(standardisation) = &scaling
            && standardisation.channels() != channels as usize
        {
            let found = standardisation.channels();
            let fault = TableFault::Channels { channels, found };
            return Err(fault.at(table.path()));
        }
        table.layout.scaling = scaling;
        Ok(table)
    }

    fn open_one(path: &Path) -> Result<Self, TableFault> {
        Self::decode(path, &map(path)?)
    }

    fn decode(path: &Path, content: &Buffer) -> Result<Self, TableFault> {
        let Decoded {
            layout,
            rows,
            rows_per_batch,
            batches,
        } = decode::decode(content)?;
        let shard = Shard {
            path: path.to_owned(),
            first: 0,
            rows_per_batch,
            batches,
        };
        Ok(Self {
            layout,
            rows,
            shards: vec![shard],
        })
    }

    /// Puts the rows of `other` after these.
    fn append(&mut self, other: Self) -> Result<(), TableFault> {
        let kind = |table: &Self| (table.layout.shape, table.layout.classes);
        if kind(self) != kind(&other) {
            return Err(TableFault::ShardsDiffer {
                found: format!("{} with {} classes", other.shape(), other.classes()),
                expected: format!("{} with {} classes", self.shape(), self.classes()),
            });
        }
        let before = self.rows;
        self.rows = before
            .checked_add(other.rows)
            .ok_or(TableFault::TooManyRows)?;
        self.shards
            .extend(other.shards.into_iter().map(|shard| Shard {
                first: before + shard.first,
                ..shard
            }));
        Ok(())
    }

    /// The path of the table, or of its first shard.
    pub fn path(&self) -> &Path {
        self.shards
            .first()
            .map_or(Path::new(""), |shard| &shard.path)
    }

    /// The number of images.
    pub fn len(&self) -> u32 {
        self.rows
    }

    /// True if the table has no image.
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

    /// The scaling of pixels in what is gathered.
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

    /// Copies the labels alone, as [`gather`](Self::gather) does.
    pub fn gather_labels(&self, indices: &[u32], labels: &mut [i64]) -> Result<(), GatherError> {
        if labels.len() != indices.len() {
            return Err(GatherError::WrongLength {
                batch: indices.len(),
                expected: 0,
                images: 0,
                labels: labels.len(),
            });
        }
        for (&index, label) in indices.iter().zip(labels) {
            let rows = self.rows;
            let (_, class) = self
                .row(index)
                .ok_or(GatherError::OutOfRange { index, rows })?;
            *label = class;
        }
        Ok(())
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

    /// All samples in order, part by part: the pixels as stored, in layout (N, C, H, W), and the labels.
    pub fn stored(&self) -> impl Iterator<Item = (&[u8], Vec<i64>)> {
        let batches = self.shards.iter().flat_map(|shard| &shard.batches);
        batches.map(Batch::stored)
    }

    /// The pixels of image `index`, as stored, in layout (C, H, W), and its label.
    pub fn row(&self, index: u32) -> Option<(&[u8], i64)> {
        // A shard without rows begins where the next one does: the last that begins here counts.
        let after = self.shards.partition_point(|shard| shard.first <= index);
        let shard = self.shards.get(after.checked_sub(1)?)?;
        let (row, size) = (index - shard.first, shard.rows_per_batch);
        let batch = shard.batches.get((row / size) as usize)?;
        batch.row((row % size) as usize)
    }
}

#[allow(
    unsafe_code,
    reason = "mapping a file is unsafe; the argument is given at the block"
)]
fn map(path: &Path) -> std::io::Result<Buffer> {
    let file = assay_files::open(path)?;
    // SAFETY: the map is only read, and nobody changes the file under it: a table is written
    // under a temporary name and renamed when it is complete, and objects of a store are
    // read-only and never modified in place (DESIGN section 2).
    let map = unsafe { Mmap::map(&file)? };
    Ok(Buffer::from(Bytes::from_owner(map)))
}

#[cfg(test)]
mod tests;
