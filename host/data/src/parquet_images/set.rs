//! One set of a dataset in Parquet files: its labels in memory, its images streamed.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;

use super::error::ParquetImagesError;
use super::{classes, labels};
use crate::encoded::{EncodedImages, Stream};
use crate::prepare::{ParquetFile, ParquetSource};

/// Rows that are read at a time.
const ROWS: usize = 64;

/// The field of an image structure that holds the encoded image.
const BYTES: &str = "bytes";

/// A set whose labels are read.
pub(crate) struct Set {
    files: Vec<DataFile>,
    labels: Vec<u16>,
    image_column: String,
    /// The names of the classes in the first file's metadata.
    pub(super) class_names: Option<Vec<String>>,
}

/// One file of a set.
pub(super) struct DataFile {
    /// Its name in messages and descriptions.
    name: String,
    path: PathBuf,
    /// Rows of the files before it.
    first: u32,
    rows: u32,
}

impl DataFile {
    fn builder(&self) -> Result<ParquetRecordBatchReaderBuilder<File>, ParquetImagesError> {
        let file =
            assay_files::open(&self.path).map_err(|source| ParquetImagesError::Unreadable {
                path: self.path.clone(),
                source,
            })?;
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| self.damaged(error))
    }

    pub(super) fn damaged(&self, source: ParquetError) -> ParquetImagesError {
        ParquetImagesError::Parquet {
            file: self.name.clone(),
            source,
        }
    }

    pub(super) fn wrong_column(
        &self,
        schema: &Schema,
        column: &str,
        problem: &str,
    ) -> ParquetImagesError {
        let columns = schema.fields().iter();
        let columns: Vec<_> = columns
            .map(|field| format!("{} ({})", field.name(), field.data_type()))
            .collect();
        ParquetImagesError::Column {
            file: self.name.clone(),
            column: column.to_owned(),
            problem: problem.to_owned(),
            columns: columns.join(", "),
        }
    }

    pub(super) fn wrong_label(&self, row: u64, problem: String) -> ParquetImagesError {
        ParquetImagesError::Label {
            file: self.name.clone(),
            row,
            problem,
        }
    }
}

impl Set {
    pub(super) fn open(
        given: &[ParquetFile],
        folder: &Path,
        source: &ParquetSource,
    ) -> Result<Self, ParquetImagesError> {
        let mut set = Self {
            files: Vec::with_capacity(given.len()),
            labels: Vec::new(),
            image_column: source.image_column.clone(),
            class_names: None,
        };
        for given in given {
            let mut file = DataFile {
                name: given.path.clone(),
                path: folder.join(&given.path),
                first: set.labels.len() as u32,
                rows: 0,
            };
            let builder = file.builder()?;
            image_leaf(&file, builder.schema(), &source.image_column)?;
            if set.files.is_empty() {
                set.class_names = stated_names(&builder, &source.label_column);
            }
            let labels = labels::read(&file, builder, &source.label_column)?;
            file.rows = labels.len() as u32;
            set.labels.extend(labels);
            let rows = set.labels.len() as u64;
            if u32::try_from(rows).is_err() {
                return Err(ParquetImagesError::Count { rows });
            }
            set.files.push(file);
        }
        if set.labels.is_empty() {
            return Err(ParquetImagesError::Count { rows: 0 });
        }
        Ok(set)
    }

    /// Every label is one of `classes` classes.
    pub(super) fn check_labels(
        &self,
        column: &str,
        classes: usize,
    ) -> Result<(), ParquetImagesError> {
        let stray = |&label: &u16| usize::from(label) >= classes;
        let Some(position) = self.labels.iter().position(stray) else {
            return Ok(());
        };
        let (file, row) = self.place(position as u32);
        let label = self.labels[position];
        let problem = format!("`{column}` {label}; with {classes} classes, labels are below that");
        Err(file.wrong_label(row.into(), problem))
    }

    /// The file that the image at `position` lies in, and its row there.
    fn place(&self, position: u32) -> (&DataFile, u32) {
        let after = self.files.partition_point(|file| file.first <= position);
        let file = &self.files[after.saturating_sub(1)];
        (file, position - file.first)
    }
}

/// The class names in the file's metadata, if there are any.
fn stated_names(
    builder: &ParquetRecordBatchReaderBuilder<File>,
    label: &str,
) -> Option<Vec<String>> {
    let entries = builder.metadata().file_metadata().key_value_metadata()?;
    let entry = entries
        .iter()
        .find(|entry| entry.key == classes::METADATA)?;
    classes::in_metadata(entry.value.as_deref()?, label)
}

/// The name of the Parquet column with the encoded images.
fn image_leaf(file: &DataFile, schema: &Schema, image: &str) -> Result<String, ParquetImagesError> {
    let is_bytes = |kind: &DataType| {
        matches!(
            kind,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
    };
    let Ok(field) = schema.field_with_name(image) else {
        return Err(file.wrong_column(schema, image, "is missing"));
    };
    match field.data_type() {
        kind if is_bytes(kind) => Ok(image.to_owned()),
        DataType::Struct(fields)
            if fields
                .iter()
                .any(|field| field.name() == BYTES && is_bytes(field.data_type())) =>
        {
            Ok(format!("{image}.{BYTES}"))
        }
        kind => {
            let problem = format!("holds {kind}, not encoded images");
            Err(file.wrong_column(schema, image, &problem))
        }
    }
}

impl EncodedImages for Set {
    fn labels(&self) -> &[u16] {
        &self.labels
    }

    fn name(&self, position: u32) -> String {
        let (file, row) = self.place(position);
        format!("{} row {row}", file.name)
    }

    fn stream<'a>(&'a self, positions: &'a [u32]) -> Stream<'a> {
        let reader = Reader {
            set: self,
            positions,
            current: None,
            ready: VecDeque::new(),
        };
        Box::new(reader.map(|read| read.map_err(Into::into)))
    }
}

/// Reads the images at `positions`, which ascend, one file after the other.
struct Reader<'a> {
    set: &'a Set,
    /// The positions in files that are not yet opened.
    positions: &'a [u32],
    current: Option<(&'a DataFile, ParquetRecordBatchReader)>,
    ready: VecDeque<Vec<u8>>,
}

impl Iterator for Reader<'_> {
    type Item = Result<Vec<u8>, ParquetImagesError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.positions = &[];
                    self.current = None;
                    return Some(Err(error));
                }
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

impl Reader<'_> {
    /// Reads on; says whether there may be more.
    fn fill(&mut self) -> Result<bool, ParquetImagesError> {
        let Some((file, reader)) = &mut self.current else {
            return self.open_next();
        };
        let Some(batch) = reader.next() else {
            self.current = None;
            return Ok(true);
        };
        let batch = batch.map_err(|error| file.damaged(error.into()))?;
        let column = match batch.column(0).as_struct_opt() {
            Some(images) => images.column(0),
            None => batch.column(0),
        };
        self.ready.extend(values(column));
        Ok(true)
    }

    fn open_next(&mut self) -> Result<bool, ParquetImagesError> {
        let Some(&position) = self.positions.first() else {
            return Ok(false);
        };
        let (file, _) = self.set.place(position);
        let end = file.first + file.rows;
        let count = self.positions.partition_point(|&position| position < end);
        let (own, rest) = self.positions.split_at(count);
        let builder = file.builder()?;
        let leaf = image_leaf(file, builder.schema(), &self.set.image_column)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), [leaf.as_str()]);
        let rows = own.iter().map(|position| {
            let row = (position - file.first) as usize;
            row..row + 1
        });
        let selection = RowSelection::from_consecutive_ranges(rows, file.rows as usize);
        let reader = builder
            .with_projection(mask)
            .with_row_selection(selection)
            .with_batch_size(ROWS)
            .build()
            .map_err(|error| file.damaged(error))?;
        self.positions = rest;
        self.current = Some((file, reader));
        Ok(true)
    }
}

/// The values of a column of bytes; a missing one is empty.
fn values(column: &ArrayRef) -> Vec<Vec<u8>> {
    let owned = |value: Option<&[u8]>| value.unwrap_or_default().to_vec();
    match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().iter().map(owned).collect(),
        DataType::LargeBinary => column.as_binary::<i64>().iter().map(owned).collect(),
        _ => column.as_binary_view().iter().map(owned).collect(),
    }
}
