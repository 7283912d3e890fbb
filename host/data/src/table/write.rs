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
use assay_files::{NewFile, PRIVATE};

use super::error::{TableError, TableFault};
use super::layout::{self, Layout, MAX_CLASSES};
use super::scaling::Scaling;
use crate::image::ImageShape;

/// Rows of every record batch but the last, unless stated.
pub const ROWS_PER_BATCH: usize = 1024;

/// Writes one table, row by row. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct TableWriter {
    path: PathBuf,
    shape: ImageShape,
    classes: u32,
    schema: SchemaRef,
    file: FileWriter<BufWriter<NewFile>>,
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
    ) -> Result<Self, TableError> {
        if !(1..=MAX_CLASSES).contains(&classes) {
            return Err(TableFault::Classes(classes).at(path));
        }
        if let Scaling::Standardised(standardisation) = scaling
            && standardisation.channels() != shape.channels() as usize
        {
            let (expected, found) = (shape.channels(), standardisation.channels());
            return Err(TableFault::GivenScaling { expected, found }.at(path));
        }
        let schema: SchemaRef = Arc::new(layout::schema(&Layout {
            shape,
            classes,
            scaling: scaling.clone(),
        }));
        let file = NewFile::create(path, PRIVATE).map_err(|e| io_error(path, e))?;
        let file =
            FileWriter::try_new(BufWriter::new(file), &schema).map_err(|e| arrow_error(path, e))?;
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
    pub fn push(&mut self, image: &[u8], label: u16) -> Result<(), TableError> {
        if image.len() != self.shape.pixels() {
            let (expected, found) = (self.shape.pixels(), image.len());
            return Err(TableFault::ImageSize { expected, found }.at(&self.path));
        }
        if u32::from(label) >= self.classes {
            let classes = self.classes;
            return Err(TableFault::Label { label, classes }.at(&self.path));
        }
        self.images.extend_from_slice(image);
        self.labels.push(label);
        if self.labels.len() == self.rows_per_batch {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Completes the table and gives it its name, replacing what had that name.
    pub fn finish(mut self) -> Result<(), TableError> {
        if !self.labels.is_empty() {
            self.write_batch()?;
        }
        let path = self.path;
        let file = self.file.into_inner().map_err(|e| arrow_error(&path, e))?;
        let file = file
            .into_inner()
            .map_err(|e| io_error(&path, e.into_error()))?;
        file.replace().map_err(|e| io_error(&path, e))
    }

    fn write_batch(&mut self) -> Result<(), TableError> {
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

fn io_error(path: &Path, error: io::Error) -> TableError {
    TableFault::Write(error).at(path)
}

fn arrow_error(path: &Path, error: ArrowError) -> TableError {
    io_error(
        path,
        match error {
            ArrowError::IoError(_, error) => error,
            error => io::Error::other(error),
        },
    )
}
