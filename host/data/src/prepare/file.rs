//! A file of a split that is being written, and what is done with an image that cannot be decoded.

use std::path::Path;

use assay_core::ObjectHash;

use super::SkippedImage;
use super::record::Record;
use crate::error::DatasetError;
use crate::image::{DecodedImage, ImageError};
use crate::sources::BadImagePolicy;
use crate::sources::ImageSet;
use crate::statistics::Statistics;
use crate::table::{ImageShape, TableWriter};

/// A table that is being written.
pub(super) struct SplitFile<'a> {
    set: &'a dyn ImageSet,
    shape: ImageShape,
    policy: BadImagePolicy,
    table: TableWriter,
    record: Record,
}

impl<'a> SplitFile<'a> {
    /// Begins `table`, of images of this shape from `set`.
    pub(super) fn new(
        table: TableWriter,
        set: &'a dyn ImageSet,
        shape: ImageShape,
        classes: usize,
        policy: BadImagePolicy,
    ) -> Self {
        Self {
            set,
            shape,
            policy,
            table,
            record: Record {
                hash: ObjectHash::of(b""),
                images: 0,
                label_counts: vec![0; classes],
                statistics: Statistics::new(shape),
                skipped: Vec::new(),
            },
        }
    }

    /// Adds the image at `position` of the set, or remembers why it is left out.
    pub(super) fn add(
        &mut self,
        position: u32,
        decoded: Result<DecodedImage, ImageError>,
    ) -> Result<(), DatasetError> {
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

    fn skip(&mut self, position: u32, error: ImageError) -> Result<(), DatasetError> {
        let file = self.set.name(position);
        match self.policy {
            BadImagePolicy::Error => Err(DatasetError::BadImage { file, fault: error }),
            BadImagePolicy::Skip => {
                let reason = error.to_string();
                self.record.skipped.push(SkippedImage { file, reason });
                Ok(())
            }
        }
    }

    /// Completes the file, and records it.
    pub(super) fn finish(self, folder: &Path, file: &str) -> Result<Record, DatasetError> {
        let Self {
            table, mut record, ..
        } = self;
        table.finish()?;
        record.save(folder, file)?;
        Ok(record)
    }
}
