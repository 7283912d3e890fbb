//! Writes an image table.
//!
//! The same rows give the same bytes. The file appears under its name only when it is complete
//! and on the disk.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, UInt8Array, UInt16Array};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use tempfile::NamedTempFile;

use super::layout::{self, ImageShape, Layout, MAX_CLASSES};
use super::scaling::Scaling;
use crate::atomic;

/// Rows of every record batch but the last, unless stated.
pub const ROWS_PER_BATCH: usize = 1024;

/// A table that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refuses.
    #[error("image table {}: cannot be written: {source}", path.display())]
    Io {
        /// The table.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Arrow refuses.
    #[error("image table {}: cannot be written: {source}", path.display())]
    Arrow {
        /// The table.
        path: PathBuf,
        /// Why.
        source: ArrowError,
    },
    /// The number of classes cannot be represented.
    #[error("a table cannot have {0} classes: from 1 to {MAX_CLASSES} are supported")]
    Classes(u32),
    /// The scaling is of other channels.
    #[error("a scaling of {found} channels was given to a table of {expected}-channel images")]
    Channels {
        /// Channels of the table's images.
        expected: u32,
        /// Channels of the scaling.
        found: usize,
    },
    /// An image has another size than the table's.
    #[error("an image of {found} bytes was given to a table of {expected}-byte images")]
    ImageSize {
        /// Bytes of the table's images.
        expected: usize,
        /// Bytes of the image given.
        found: usize,
    },
    /// A label is not a class.
    #[error("label {label} was given to a table of {classes} classes")]
    Label {
        /// The label.
        label: u16,
        /// The number of classes.
        classes: u32,
    },
}

/// Writes one table, row by row. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct TableWriter {
    path: PathBuf,
    shape: ImageShape,
    classes: u32,
    schema: SchemaRef,
    file: FileWriter<BufWriter<NamedTempFile>>,
    rows_per_batch: usize,
    images: Vec<u8>,
    labels: Vec<u16>,
}

impl TableWriter {
    /// Begins a table that will appear at `path`, in a directory that exists, and whose images
    /// will be read with `scaling`.
    pub fn create(
        path: &Path,
        shape: ImageShape,
        classes: u32,
        scaling: &Scaling,
    ) -> Result<Self, WriteError> {
        if !(1..=MAX_CLASSES).contains(&classes) {
            return Err(WriteError::Classes(classes));
        }
        if let Scaling::Standardised(standardisation) = scaling
            && standardisation.channels() != shape.channels() as usize
        {
            return Err(WriteError::Channels {
                expected: shape.channels(),
                found: standardisation.channels(),
            });
        }
        let schema: SchemaRef = Arc::new(layout::schema(&Layout {
            shape,
            classes,
            scaling: scaling.clone(),
        }));
        let temporary =
            NamedTempFile::new_in(atomic::parent(path)).map_err(|e| io_error(path, e))?;
        let file = FileWriter::try_new(BufWriter::new(temporary), &schema)
            .map_err(|e| arrow_error(path, e))?;
        Ok(Self {
            path: path.to_owned(),
            shape,
            classes,
            schema,
            file,
            rows_per_batch: ROWS_PER_BATCH,
            images: Vec::new(),
            labels: Vec::new(),
        })
    }

    /// Another number of rows of every record batch, at least 1: a batch is kept in memory until
    /// it is written.
    #[must_use]
    pub fn with_rows_per_batch(mut self, rows: usize) -> Self {
        self.rows_per_batch = rows.max(1);
        self
    }

    /// Appends an image (layout C, H, W) and its label.
    pub fn push(&mut self, image: &[u8], label: u16) -> Result<(), WriteError> {
        if image.len() != self.shape.pixels() {
            return Err(WriteError::ImageSize {
                expected: self.shape.pixels(),
                found: image.len(),
            });
        }
        if u32::from(label) >= self.classes {
            return Err(WriteError::Label {
                label,
                classes: self.classes,
            });
        }
        self.images.extend_from_slice(image);
        self.labels.push(label);
        if self.labels.len() == self.rows_per_batch {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Completes the table and gives it its name, replacing what had that name.
    pub fn finish(mut self) -> Result<(), WriteError> {
        if !self.labels.is_empty() {
            self.write_batch()?;
        }
        let path = self.path;
        let file = self.file.into_inner().map_err(|e| arrow_error(&path, e))?;
        let file = file
            .into_inner()
            .map_err(|e| io_error(&path, e.into_error()))?;
        atomic::publish(file, &path).map_err(|e| io_error(&path, e))
    }

    fn write_batch(&mut self) -> Result<(), WriteError> {
        let batch = self.batch().and_then(|batch| self.file.write(&batch));
        batch.map_err(|e| arrow_error(&self.path, e))
    }

    fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let images = Buffer::from_vec(std::mem::take(&mut self.images));
        let images = FixedSizeBinaryArray::try_new(self.shape.pixels() as i32, images, None)?;
        let labels = std::mem::take(&mut self.labels);
        let labels: ArrayRef = if layout::narrow(self.classes) {
            // `push` has checked that labels are below the number of classes.
            Arc::new(UInt8Array::from_iter_values(
                labels.into_iter().map(|label| label as u8),
            ))
        } else {
            Arc::new(UInt16Array::from(labels))
        };
        RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::new(images), labels])
    }
}

fn io_error(path: &Path, source: io::Error) -> WriteError {
    WriteError::Io {
        path: path.to_owned(),
        source,
    }
}

fn arrow_error(path: &Path, source: ArrowError) -> WriteError {
    WriteError::Arrow {
        path: path.to_owned(),
        source,
    }
}
