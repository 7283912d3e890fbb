//! A shard that is being written, and what is done with an image that cannot be decoded.

use std::path::Path;

use super::super::parameters::BadImagePolicy;
use super::super::{PrepareError, SkippedImage};
use super::record::Record;
use crate::digest::ContentHash;
use crate::encoded::EncodedImages;
use crate::image::{BadImage, DecodedImage, ImageError};
use crate::statistics::Statistics;
use crate::table::{ImageShape, Scaling, TableWriter};

/// About the size of a record batch, which is kept in memory until it is written.
const BATCH_BYTES: usize = 8 << 20;
/// The most rows of a record batch, however small images are.
const MOST_BATCH_ROWS: usize = 1024;

/// A shard that is being written.
pub(super) struct Shard<'a> {
    set: &'a dyn EncodedImages,
    shape: ImageShape,
    policy: BadImagePolicy,
    table: TableWriter,
    record: Record,
}

impl<'a> Shard<'a> {
    /// Begins the shard that will lie at `path`, with images of `set`.
    pub(super) fn create(
        path: &Path,
        set: &'a dyn EncodedImages,
        shape: ImageShape,
        classes: usize,
        policy: BadImagePolicy,
    ) -> Result<Self, PrepareError> {
        let table = TableWriter::create(path, shape, classes as u32, &Scaling::UnitInterval)?;
        let batch = (BATCH_BYTES / shape.pixels()).clamp(1, MOST_BATCH_ROWS);
        Ok(Self {
            set,
            shape,
            policy,
            table: table.with_rows_per_batch(batch),
            record: Record {
                hash: ContentHash::of(b""),
                images: 0,
                label_counts: vec![0; classes],
                statistics: Statistics::new(shape),
                skipped: Vec::new(),
            },
        })
    }

    /// Adds the image at `position` of the set, or remembers why it is left out.
    pub(super) fn add(
        &mut self,
        position: u32,
        decoded: Result<DecodedImage, ImageError>,
    ) -> Result<(), PrepareError> {
        let fitting = decoded.and_then(|image| {
            if image.shape == self.shape {
                Ok(image.pixels)
            } else {
                Err(ImageError::OtherShape {
                    expected: self.shape.into(),
                    found: image.shape.into(),
                })
            }
        });
        let pixels = match fitting {
            Ok(pixels) => pixels,
            Err(error) => return self.skip(position, error),
        };
        let label = self.set.labels()[position as usize];
        self.table.push(&pixels, label)?;
        self.record.images += 1;
        self.record.label_counts[usize::from(label)] += 1;
        self.record.statistics.add(&pixels);
        Ok(())
    }

    fn skip(&mut self, position: u32, error: ImageError) -> Result<(), PrepareError> {
        let file = self.set.name(position);
        match self.policy {
            BadImagePolicy::Error => Err(BadImage { file, error }.into()),
            BadImagePolicy::Skip => {
                let reason = error.to_string();
                self.record.skipped.push(SkippedImage { file, reason });
                Ok(())
            }
        }
    }

    /// Completes the shard, and vouches for it.
    pub(super) fn finish(self, folder: &Path, file: &str) -> Result<Record, PrepareError> {
        let Self {
            table, mut record, ..
        } = self;
        table.finish()?;
        record.save(folder, file)?;
        Ok(record)
    }
}
