//! Tables of any format, read batch by batch: their columns and first rows, and the columns and
//! rows of two that differ. Rows are compared in order.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::distinct;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions, array_value_to_string};
use assay_core::{Difference, Fields};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::error::FormatError;
use super::quote::quote;

/// The most columns that are shown, and the most characters of a cell.
const MOST_COLUMNS: usize = 1000;
const LONGEST_CELL: usize = 4096;
/// Metadata key of a table's description of its columns.
const UNITS: &str = "assay.units";

/// The column that says in which epoch a row was measured.
const EPOCH: &str = "epoch";
/// A value that is longer does not tell a person which row it is in.
const LONGEST_KEY: usize = 60;

/// The batches of rows of a table.
type Batches = Box<dyn Iterator<Item = Result<RecordBatch, FormatError>>>;

/// A file with a table, which is read batch by batch.
pub(crate) struct TableFile {
    pub(crate) schema: SchemaRef,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) batches: Batches,
}

/// A table, and its first rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Number of rows that it says it has.
    pub rows: u64,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The first rows: a cell for each column, nothing where it is null.
    pub head: Vec<Vec<Option<String>>>,
    /// Units and meaning of its columns, according to its metadata.
    pub units: Option<String>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub r#type: String,
    /// Whether they may be null.
    pub nullable: bool,
    /// Whether they are numbers or truth values, which JSON has too.
    #[serde(skip)]
    pub plain: bool,
}

impl Serialize for Table {
    /// Every row as an object whose keys are the columns.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.head.iter().map(|row| {
            let cells = self.columns.iter().zip(row);
            let cells =
                cells.map(|(column, cell)| (column.name.clone(), column.json(cell.as_ref())));
            cells.collect::<Map<_, _>>()
        });
        let mut table = serializer.serialize_struct("Table", 4)?;
        table.serialize_field("rows", &self.rows)?;
        table.serialize_field("columns", &self.columns)?;
        table.serialize_field("head", &rows.collect::<Vec<_>>())?;
        table.serialize_field("units", &self.units)?;
        table.end()
    }
}

impl Column {
    /// A cell as itself where it is a number or a truth value, and all else as text: JSON has no
    /// infinity, for one.
    fn json(&self, cell: Option<&String>) -> Value {
        let Some(text) = cell else {
            return Value::Null;
        };
        let plain = self.plain.then(|| serde_json::from_str(text).ok());
        plain.flatten().unwrap_or_else(|| text.as_str().into())
    }
}

impl TableFile {
    /// The columns and the first rows of a table that says that it has `claimed` of them.
    pub(super) fn summarise(mut self, claimed: u64, rows: usize) -> Result<Table, FormatError> {
        let fields = self.schema.fields().iter().take(MOST_COLUMNS);
        let columns = fields.map(|field| Column {
            name: field.name().clone(),
            r#type: type_name(field.data_type()),
            nullable: field.is_nullable(),
            plain: field.data_type().is_numeric() || *field.data_type() == DataType::Boolean,
        });
        let columns = columns.collect();
        let mut head = Vec::new();
        while head.len() < rows
            && let Some(batch) = self.batches.next()
        {
            let batch = batch?;
            let missing = (rows - head.len()).min(batch.num_rows());
            head.extend(cells(&batch.slice(0, missing))?);
        }
        Ok(Table {
            rows: claimed,
            columns,
            head,
            units: self.metadata.remove(UNITS),
        })
    }
}

/// A type as people name it.
fn type_name(data_type: &DataType) -> String {
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

/// Which parts of two tables differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TableDifference {
    /// How many rows they have.
    pub rows: [u64; 2],
    /// Differences in the files' own metadata.
    pub metadata: Vec<Difference>,
    /// Columns that only one of them has, or that have another type.
    pub schema: Vec<SchemaDifference>,
    /// Columns of both whose values differ, in the rows that both have.
    pub columns: Vec<ColumnDifference>,
}

impl TableDifference {
    /// Whether they say the same, in another encoding.
    pub fn is_empty(&self) -> bool {
        let [before, now] = self.rows;
        before == now
            && self.metadata.is_empty()
            && self.schema.is_empty()
            && self.columns.is_empty()
    }
}

/// A column that is not in both tables, or not of one type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchemaDifference {
    /// Its name.
    pub column: String,
    /// Its type in the first table, if it is there.
    pub before: Option<String>,
    /// Its type in the second.
    pub now: Option<String>,
}

/// A column whose values differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnDifference {
    /// Its name.
    pub column: String,
    /// In how many rows.
    pub rows: u64,
    /// The first of them, counted from 0.
    pub first_row: u64,
    /// Key of that row: its short texts and whole numbers in the other columns.
    pub first_key: BTreeMap<String, String>,
    /// Its value there in the first table.
    pub before: String,
    /// Its value there in the second.
    pub now: String,
    /// The earliest epoch in which it differs, where the rows have one.
    pub first_epoch: Option<i64>,
    /// The largest difference between numbers.
    pub largest_absolute: Option<f64>,
    /// The largest difference in proportion to the larger of the two numbers.
    pub largest_relative: Option<f64>,
}

pub(super) fn compare(before: TableFile, now: TableFile) -> Result<TableDifference, FormatError> {
    let metadata = Fields::of(&before.metadata)?.differences(&Fields::of(&now.metadata)?);
    let schema = compare_schemas(&before.schema, &now.schema);
    let in_both = |column: &&String| !schema.iter().any(|it| it.column == **column);
    let names = before.schema.fields().iter().map(|field| field.name());
    let mut columns: Vec<_> = names
        .filter(in_both)
        .map(|name| (name.clone(), None))
        .collect();
    let (mut before, mut now) = (Rows::new(before.batches), Rows::new(now.batches));
    while before.fill()? & now.fill()? {
        let (first_row, count) = (before.passed, before.here().min(now.here()));
        let Some((left, right)) = before.take(count).zip(now.take(count)) else {
            break;
        };
        for (name, found) in &mut columns {
            compare_column(name, first_row, &left, &right, found)?;
        }
    }
    Ok(TableDifference {
        rows: [before.count()?, now.count()?],
        metadata,
        schema,
        columns: columns.into_iter().filter_map(|(_, found)| found).collect(),
    })
}

fn compare_schemas(before: &Schema, now: &Schema) -> Vec<SchemaDifference> {
    let mut names: Vec<_> = before.fields().iter().map(|field| field.name()).collect();
    let added = now.fields().iter().map(|field| field.name());
    names.extend(added.filter(|name| before.field_with_name(name).is_err()));
    let form = |schema: &Schema, name: &str| {
        let field = schema.field_with_name(name).ok()?;
        let optional = if field.is_nullable() { "?" } else { "" };
        Some(format!("{}{optional}", field.data_type()))
    };
    let forms = names
        .into_iter()
        .map(|name| (name, form(before, name), form(now, name)));
    forms
        .filter(|(_, before, now)| before != now)
        .map(|(name, before, now)| SchemaDifference {
            column: name.clone(),
            before,
            now,
        })
        .collect()
}

/// The rows of a table that are still to come.
struct Rows {
    batches: Batches,
    batch: Option<RecordBatch>,
    /// How many rows were taken.
    passed: u64,
}

impl Rows {
    fn new(batches: Batches) -> Self {
        Self {
            batches,
            batch: None,
            passed: 0,
        }
    }

    /// Whether there is another row, which is then here.
    fn fill(&mut self) -> Result<bool, FormatError> {
        while self.here() == 0 {
            match self.batches.next() {
                Some(batch) => self.batch = Some(batch?),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// How many rows are here.
    fn here(&self) -> usize {
        self.batch.as_ref().map_or(0, RecordBatch::num_rows)
    }

    /// The next rows, of which so many are here.
    fn take(&mut self, count: usize) -> Option<RecordBatch> {
        let batch = self.batch.take()?;
        self.passed += count as u64;
        self.batch = Some(batch.slice(count, batch.num_rows() - count));
        Some(batch.slice(0, count))
    }

    /// How many rows there are in all, those to come included.
    fn count(mut self) -> Result<u64, FormatError> {
        while self.fill()? {
            let here = self.here();
            drop(self.take(here));
        }
        Ok(self.passed)
    }
}

/// Notes in `found` where the column differs in these rows, of which `first_row` is the first.
fn compare_column(
    name: &str,
    first_row: u64,
    before: &RecordBatch,
    now: &RecordBatch,
    found: &mut Option<ColumnDifference>,
) -> Result<(), ArrowError> {
    let (Some(left), Some(right)) = (before.column_by_name(name), now.column_by_name(name)) else {
        return Ok(());
    };
    let differs = differing(left, right);
    let mut rows = differs.values().set_indices().peekable();
    let Some(&first) = rows.peek() else {
        return Ok(());
    };
    let text = |array: &ArrayRef| {
        let text = array_value_to_string(array, first)?;
        Ok::<_, ArrowError>(quote(&text))
    };
    if found.is_none() {
        *found = Some(ColumnDifference {
            column: name.to_owned(),
            rows: 0,
            first_row: first_row + first as u64,
            first_key: key(name, first, before, now),
            before: text(left)?,
            now: text(right)?,
            first_epoch: None,
            largest_absolute: None,
            largest_relative: None,
        });
    }
    let Some(found) = found else {
        return Ok(());
    };
    let epochs = before.column_by_name(EPOCH);
    let epochs = epochs.and_then(|column| cast(column, &DataType::Int64).ok());
    let numbers = numbers(left).zip(numbers(right));
    for row in rows {
        found.rows += 1;
        if let Some(epoch) = epochs.as_ref().and_then(|epochs| {
            let epochs = epochs.as_primitive_opt::<Int64Type>()?;
            epochs.is_valid(row).then(|| epochs.value(row))
        }) {
            found.first_epoch = Some(found.first_epoch.map_or(epoch, |least| least.min(epoch)));
        }
        let pair = numbers.as_ref();
        if let Some((before, now)) =
            pair.and_then(|(left, right)| number(left, row).zip(number(right, row)))
        {
            found.add(before, now);
        }
    }
    Ok(())
}

impl ColumnDifference {
    /// Notes how far two numbers are apart, if they are finite.
    fn add(&mut self, before: f64, now: f64) {
        let absolute = (before - now).abs();
        let relative = absolute / before.abs().max(now.abs());
        let more = |largest: &mut Option<f64>, value: f64| {
            if value.is_finite() {
                *largest = Some(largest.map_or(value, |largest| largest.max(value)));
            }
        };
        more(&mut self.largest_absolute, absolute);
        more(&mut self.largest_relative, relative);
    }
}

/// In which rows two columns of one type differ. Floats are compared by their bits.
fn differing(before: &ArrayRef, now: &ArrayRef) -> BooleanArray {
    distinct(before, now).unwrap_or_else(|_| {
        // Lists and structures have no comparison of their own.
        let rows = 0..before.len().min(now.len());
        rows.map(|row| Some(before.slice(row, 1) != now.slice(row, 1)))
            .collect()
    })
}

/// The values of a column of numbers.
fn numbers(column: &ArrayRef) -> Option<ArrayRef> {
    let numeric = column.data_type().is_numeric();
    numeric.then(|| cast(column, &DataType::Float64).ok())?
}

fn number(column: &ArrayRef, row: usize) -> Option<f64> {
    let column = column.as_primitive_opt::<Float64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

/// Key that tells a person which row it is: the values that both tables have in the other columns
/// of texts and whole numbers.
fn key(
    column: &str,
    row: usize,
    before: &RecordBatch,
    now: &RecordBatch,
) -> BTreeMap<String, String> {
    let mut key = BTreeMap::new();
    for field in before.schema().fields() {
        let of_key = field.data_type().is_integer() || field.data_type().is_string();
        let value = |batch: &RecordBatch| {
            let values = batch.column_by_name(field.name())?;
            array_value_to_string(values, row).ok()
        };
        let (left, right) = (value(before), value(now));
        if field.name() != column && of_key && left == right {
            let short = left.filter(|text| text.len() <= LONGEST_KEY);
            key.extend(short.map(|text| (field.name().clone(), text)));
        }
    }
    key
}
