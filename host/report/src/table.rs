//! Rows to Parquet and back. It owns the encoding, the self-description in the file's metadata and
//! the checks on files of unknown origin; it never knows what a column means.

use std::any::Any;
use std::borrow::Cow;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;

use crate::file::{FileError, write_atomically};

const VERSION: &str = "1";
const VERSION_KEY: &str = "assay.format_version";
const TABLE_KEY: &str = "assay.table";
const UNITS_KEY: &str = "assay.units";

/// Far above any real table (500 epochs of 10,000 trainings are 60 million rows), far below what
/// a few crafted bytes could make a reader allocate.
const MOST_ROWS: usize = 1 << 27;

/// A file of no more bytes is read in one piece: of a larger one the decoder opens every column again.
const READ_AT_ONCE: u64 = 4 << 20;

/// A table that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("table `{path}`: {problem}", path = path.display())]
pub struct TableError {
    /// The file.
    pub path: PathBuf,
    /// The problem with it.
    pub problem: TableProblem,
}

/// A problem with a table.
#[derive(Debug, thiserror::Error)]
pub enum TableProblem {
    /// The file could not be opened.
    #[error("cannot open it: {0}")]
    Open(io::Error),
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// The bytes are not sound Parquet.
    #[error("not a sound Parquet file: {0}; fetch or make it again")]
    Parquet(#[from] ParquetError),
    /// The pages do not decode to the columns they claim.
    #[error("its pages do not decode: {0}; fetch or make it again")]
    Arrow(#[from] ArrowError),
    /// The decoder gave up in a way that it does not report as an error.
    #[error("its pages do not decode; fetch or make it again")]
    Decoder,
    /// The file says that it is another table, or says nothing.
    #[error("expected a table {expected} of this program, found {found}")]
    Kind {
        /// The table asked for.
        expected: String,
        /// The table that the file claims to be.
        found: String,
    },
    /// The file was written in a format that this program does not know.
    #[error(
        "its format version is {found}, this program reads {VERSION}; use the matching program"
    )]
    Version {
        /// The version found.
        found: String,
    },
    /// The columns are not those of the format.
    #[error("expected the columns [{expected}], found [{found}]")]
    Columns {
        /// Names and types of the format.
        expected: String,
        /// Names and types in the file.
        found: String,
    },
    /// More rows than any table of this program has.
    #[error("it claims more than {MOST_ROWS} rows")]
    TooManyRows,
    /// A cell holds what its column does not allow.
    #[error("row {row}, column `{column}`: {message}")]
    Value {
        /// Row, counted from 0.
        row: usize,
        /// The column.
        column: &'static str,
        /// The problem with the value.
        message: String,
    },
}

impl TableProblem {
    pub(crate) fn at(self, path: &Path) -> TableError {
        TableError {
            path: path.to_owned(),
            problem: self,
        }
    }
}

/// Form of a table: its name, units and schema.
pub(crate) struct Form {
    /// Its name, kept in the file.
    pub(crate) table: &'static str,
    /// Units and meaning of the columns, kept in the file for whoever finds it.
    pub(crate) units: Cow<'static, str>,
    pub(crate) schema: Schema,
}

/// Rows that have a Parquet form.
pub(crate) trait Encode: Sized {
    /// The form of a table of these rows.
    fn form(rows: &[Self]) -> Form;

    /// One array per field of the form's schema, in its order.
    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem>;
}

/// Rows that can be read back.
pub(crate) trait Decode: Encode {
    /// Every form that such rows may have, each under a name of its own.
    fn forms() -> Vec<Form>;

    /// The rows of one batch whose schema is known to be right.
    fn rows(batch: &Columns<'_>) -> Result<Vec<Self>, TableProblem>;
}

/// The typed columns of one batch.
pub(crate) struct Columns<'a> {
    batch: &'a RecordBatch,
    table: &'static str,
    first_row: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// The name of the table's form.
    pub(crate) fn table(&self) -> &'static str {
        self.table
    }

    pub(crate) fn get<A: Array + Any>(&self, name: &str) -> Result<&'a A, TableProblem> {
        let column = self.batch.column_by_name(name);
        column
            .and_then(|column| column.as_any().downcast_ref())
            .ok_or(TableProblem::Decoder)
    }

    /// The problem of the cell in `column` at `row` of this batch.
    pub(crate) fn problem(
        &self,
        row: usize,
        column: &'static str,
        message: &impl ToString,
    ) -> TableProblem {
        TableProblem::Value {
            row: self.first_row + row,
            column,
            message: message.to_string(),
        }
    }
}

/// Writes `rows` to `path`: zstd, the same bytes for the same rows.
pub(crate) fn write_rows<R: Encode>(path: &Path, rows: &[R]) -> Result<(), TableError> {
    encode(rows)
        .and_then(|bytes| Ok(write_atomically(path, &bytes)?))
        .map_err(|problem| problem.at(path))
}

/// Reads a table of unknown origin. Memory grows with the rows decoded, never with the rows
/// claimed.
pub(crate) fn read_rows<R: Decode>(path: &Path) -> Result<Vec<R>, TableError> {
    let read = || {
        let file = assay_files::open(path).map_err(TableProblem::Open)?;
        let size = file.metadata().map_err(TableProblem::Open)?.len();
        let decode = || {
            if size > READ_AT_ONCE {
                return decode(file);
            }
            let bytes = assay_files::read_open(&file, READ_AT_ONCE).map_err(TableProblem::Open)?;
            decode(Bytes::from(bytes))
        };
        // The Parquet decoder indexes by lengths that it finds in the pages, so damaged pages
        // can make it panic; nothing it touched outlives the call.
        catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(TableProblem::Decoder))
    };
    read().map_err(|problem| problem.at(path))
}

fn encode<R: Encode>(rows: &[R]) -> Result<Vec<u8>, TableProblem> {
    encode_columns(R::form(rows), R::columns(rows)?)
}

/// The bytes of a table with these columns: zstd, the same for the same cells.
pub(crate) fn encode_columns(form: Form, columns: Vec<ArrayRef>) -> Result<Vec<u8>, TableProblem> {
    let schema: SchemaRef = Arc::new(form.schema);
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let metadata = [
        (VERSION_KEY, VERSION),
        (TABLE_KEY, form.table),
        (UNITS_KEY, &form.units),
    ]
    .map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("assay".to_owned())
        .set_key_value_metadata(Some(metadata.into()))
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

fn decode<R: Decode>(file: impl ChunkReader + 'static) -> Result<Vec<R>, TableProblem> {
    // The columns' types are those of Parquet itself: an embedded Arrow schema could claim others.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
    let metadata = builder.metadata().file_metadata();
    let form = form_of::<R>(metadata.key_value_metadata())?;
    check_columns(&form.schema, builder.schema())?;
    if usize::try_from(metadata.num_rows()).map_or(true, |rows| rows > MOST_ROWS) {
        return Err(TableProblem::TooManyRows);
    }
    let mut rows = Vec::new();
    for batch in builder.build()? {
        let batch = batch?;
        if rows.len() + batch.num_rows() > MOST_ROWS {
            return Err(TableProblem::TooManyRows);
        }
        rows.extend(R::rows(&Columns {
            batch: &batch,
            table: form.table,
            first_row: rows.len(),
        })?);
    }
    Ok(rows)
}

/// The form that the file says it has.
fn form_of<R: Decode>(metadata: Option<&Vec<KeyValue>>) -> Result<Form, TableProblem> {
    let value = |key: &str| {
        let mut pairs = metadata.into_iter().flatten();
        pairs.find(|pair| pair.key == key)?.value.as_deref()
    };
    let found = value(TABLE_KEY);
    let mut forms = R::forms();
    let Some(at) = forms.iter().position(|form| Some(form.table) == found) else {
        let names: Vec<_> = forms
            .iter()
            .map(|form| format!("`{}`", form.table))
            .collect();
        return Err(TableProblem::Kind {
            expected: names.join(" or "),
            found: found.map_or("another file".to_owned(), |found| format!("`{found}`")),
        });
    };
    match value(VERSION_KEY) {
        Some(VERSION) => Ok(forms.swap_remove(at)),
        found => Err(TableProblem::Version {
            found: found.unwrap_or("missing").to_owned(),
        }),
    }
}

fn check_columns(expected: &Schema, found: &Schema) -> Result<(), TableProblem> {
    let (expected, found) = (describe(expected), describe(found));
    if expected == found {
        return Ok(());
    }
    Err(TableProblem::Columns { expected, found })
}

fn describe(schema: &Schema) -> String {
    let fields = schema.fields().iter().map(|field| {
        let optional = if field.is_nullable() { "?" } else { "" };
        format!("{} {}{optional}", field.name(), field.data_type())
    });
    fields.collect::<Vec<_>>().join(", ")
}
