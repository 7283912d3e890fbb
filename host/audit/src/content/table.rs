//! The head of a Parquet table: its columns, how many rows it has, and the first of them as text.

use std::path::Path;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

/// The most columns that are shown, and the most characters of a cell.
const MOST_COLUMNS: usize = 1000;
const LONGEST_CELL: usize = 4096;

/// Metadata key of a table's description of its columns.
const UNITS: &str = "assay.units";

/// A table, and its first rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// How many rows it says it has.
    pub rows: u64,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The first rows: a cell for each column, nothing where it is null.
    pub head: Vec<Vec<Option<String>>>,
    /// Units and meaning of its columns, according to its metadata.
    pub units: Option<String>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub r#type: String,
    /// Whether they are numbers or truth values, which JSON has too.
    pub plain: bool,
    /// Whether they may be null.
    pub nullable: bool,
}

pub(super) fn read(path: &Path, rows: usize) -> Result<Table, String> {
    let file = assay_files::open(path).map_err(|error| error.to_string())?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|error| error.to_string())?;
    let metadata = builder.metadata().file_metadata();
    let said = metadata.key_value_metadata().into_iter().flatten();
    let units = said
        .filter(|pair| pair.key == UNITS)
        .find_map(|pair| pair.value.clone());
    let claimed = u64::try_from(metadata.num_rows()).unwrap_or(0);
    let columns = columns(builder.schema());
    let reader = builder
        .with_batch_size(rows.max(1))
        .with_limit(rows)
        .build();
    let mut head = Vec::new();
    for batch in reader.map_err(|error| error.to_string())? {
        let cells = batch.and_then(|batch| cells(&batch));
        head.extend(cells.map_err(|error| error.to_string())?);
    }
    Ok(Table {
        rows: claimed,
        columns,
        head,
        units,
    })
}

fn columns(schema: &Schema) -> Vec<Column> {
    let fields = schema.fields().iter().take(MOST_COLUMNS);
    let columns = fields.map(|field| Column {
        name: field.name().clone(),
        r#type: name(field.data_type()),
        plain: field.data_type().is_numeric() || *field.data_type() == DataType::Boolean,
        nullable: field.is_nullable(),
    });
    columns.collect()
}

/// A type as people name it.
fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Binary | DataType::LargeBinary => "bytes".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

fn cells(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>, ArrowError> {
    let options = FormatOptions::new();
    let columns = batch.columns().iter().take(MOST_COLUMNS);
    let columns = columns
        .map(|column| Ok((column, ArrayFormatter::try_new(column, &options)?)))
        .collect::<Result<Vec<_>, ArrowError>>()?;
    let mut rows = Vec::new();
    for row in 0..batch.num_rows() {
        let mut cells = Vec::with_capacity(columns.len());
        for (column, formatter) in &columns {
            let value = || formatter.value(row).try_to_string();
            let cell = column.is_valid(row).then(value).transpose()?;
            cells.push(cell.map(|cell| cell.chars().take(LONGEST_CELL).collect()));
        }
        rows.push(cells);
    }
    Ok(rows)
}
