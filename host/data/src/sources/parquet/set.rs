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

use super::super::hashed_file::HashedFile;
use super::super::images::{ImageSet, Stream};
use super::{ParquetSource, classes, labels};
use crate::error::DatasetError;

/// Rows that are read at a time.
const ROWS: usize = 64;

/// The field of an image structure that holds the encoded image.
const BYTES: &str = "bytes";

/// A set whose labels are read.
pub(super) struct Set {
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
    fn builder(&self) -> Result<ParquetRecordBatchReaderBuilder<File>, DatasetError> {
        let file = assay_files::open(&self.path).map_err(|error| {
            let problem = format!(
                "cannot be read: {error}; files are looked for in the folder that `path` names, \
                 or beside the pipeline file"
            );
            DatasetError::file(&self.path, problem)
        })?;
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| self.damaged(error))
    }

    fn fault(&self, problem: String) -> DatasetError {
        DatasetError::File {
            file: self.name.clone(),
            problem,
        }
    }

    /// The file is no Parquet file, or is damaged.
    pub(super) fn damaged(&self, error: impl Into<ParquetError>) -> DatasetError {
        let error = error.into();
        self.fault(format!("cannot be read as Parquet: {error}"))
    }

    /// A column is missing or of another type.
    pub(super) fn wrong_column(
        &self,
        schema: &Schema,
        column: &str,
        problem: &str,
    ) -> DatasetError {
        let columns = schema.fields().iter();
        let columns: Vec<_> = columns
            .map(|field| format!("{} ({})", field.name(), field.data_type()))
            .collect();
        let columns = columns.join(", ");
        self.fault(format!(
            "column `{column}` {problem}; its columns are {columns}"
        ))
    }

    /// The label in this row, from 0, is missing or is no class.
    pub(super) fn wrong_label(&self, row: u64, problem: &str) -> DatasetError {
        self.fault(format!("row {row} has {problem}"))
    }
}

/// There are no rows, or more than can be counted.
fn wrong_count(rows: u64) -> DatasetError {
    DatasetError::Unusable(format!(
        "the files have {rows} rows; a dataset has from 1 to 4,294,967,295"
    ))
}

impl Set {
    pub(super) fn open(
        given: &[HashedFile],
        folder: &Path,
        source: &ParquetSource,
    ) -> Result<Self, DatasetError> {
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
                return Err(wrong_count(rows));
            }
            set.files.push(file);
        }
        if set.labels.is_empty() {
            return Err(wrong_count(0));
        }
        Ok(set)
    }

    /// Every label is one of `classes` classes.
    pub(super) fn check_labels(&self, column: &str, classes: usize) -> Result<(), DatasetError> {
        let stray = |&label: &u16| usize::from(label) >= classes;
        let Some(position) = self.labels.iter().position(stray) else {
            return Ok(());
        };
        let (file, row) = self.locate(position as u32);
        let label = self.labels[position];
        let problem = format!("`{column}` {label}; with {classes} classes, labels are below that");
        Err(file.wrong_label(row.into(), &problem))
    }

    /// The file that the image at `position` lies in, and its row there.
    fn locate(&self, position: u32) -> (&DataFile, u32) {
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
fn image_leaf(file: &DataFile, schema: &Schema, image: &str) -> Result<String, DatasetError> {
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

impl ImageSet for Set {
    fn labels(&self) -> &[u16] {
        &self.labels
    }

    fn name(&self, position: u32) -> String {
        let (file, row) = self.locate(position);
        format!("{} row {row}", file.name)
    }

    fn stream<'a>(&'a self, positions: &'a [u32]) -> Stream<'a> {
        let reader = Reader {
            set: self,
            positions,
            current: None,
            ready: VecDeque::new(),
        };
        Box::new(reader)
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
    type Item = Result<Vec<u8>, DatasetError>;

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
    fn fill(&mut self) -> Result<bool, DatasetError> {
        let Some((file, reader)) = &mut self.current else {
            return self.open_next();
        };
        let Some(batch) = reader.next() else {
            self.current = None;
            return Ok(true);
        };
        let batch = batch.map_err(|error| file.damaged(error))?;
        let column = match batch.column(0).as_struct_opt() {
            Some(images) => images.column(0),
            None => batch.column(0),
        };
        self.ready.extend(values(column));
        Ok(true)
    }

    fn open_next(&mut self) -> Result<bool, DatasetError> {
        let Some(&position) = self.positions.first() else {
            return Ok(false);
        };
        let (file, _) = self.set.locate(position);
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
