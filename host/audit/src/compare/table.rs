//! Which columns and rows of two tables differ, wherever their rows come from. Rows are compared
//! in order, some thousand at a time.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::distinct;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use assay_core::{Difference, Fields};
use serde::Serialize;

use super::shortened;

/// The column that says in which epoch a row was measured.
const EPOCH: &str = "epoch";
/// A value that is longer does not tell a person which row it is in.
const LONGEST_KEY: usize = 60;

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

/// A table that is read batch by batch.
pub(crate) struct Table {
    pub(crate) schema: SchemaRef,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) batches: Box<dyn Iterator<Item = Result<RecordBatch, String>>>,
}

pub(super) fn compare(before: Table, now: Table) -> Result<TableDifference, String> {
    let fields = |table: &Table| Fields::of(&table.metadata).map_err(|it| it.to_string());
    let metadata = fields(&before)?.differences(&fields(&now)?);
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
    batches: Box<dyn Iterator<Item = Result<RecordBatch, String>>>,
    batch: Option<RecordBatch>,
    /// How many rows were taken.
    passed: u64,
}

impl Rows {
    fn new(batches: Box<dyn Iterator<Item = Result<RecordBatch, String>>>) -> Self {
        Self {
            batches,
            batch: None,
            passed: 0,
        }
    }

    /// Whether there is another row, which is then here.
    fn fill(&mut self) -> Result<bool, String> {
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
    fn count(mut self) -> Result<u64, String> {
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
) -> Result<(), String> {
    let (Some(left), Some(right)) = (before.column_by_name(name), now.column_by_name(name)) else {
        return Ok(());
    };
    let differs = differing(left, right);
    let mut rows = differs.values().set_indices().peekable();
    let Some(&first) = rows.peek() else {
        return Ok(());
    };
    let text = |array: &ArrayRef| {
        let text = array_value_to_string(array, first).map_err(|error| error.to_string())?;
        Ok::<_, String>(shortened(&text))
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
