//! The table as CSV: the columns of `table.parquet` at full precision, absent numbers empty. For
//! spreadsheets and scripts; people read the other formats.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, UInt32Type};

use crate::render::RenderError;
use crate::results::ReportRow;
use crate::table::Encode;

pub(super) fn render(rows: &[ReportRow]) -> Result<Vec<u8>, RenderError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let form = ReportRow::form(rows);
    let columns = ReportRow::columns(rows).map_err(RenderError::Columns)?;
    writer.write_record(form.schema.fields().iter().map(|field| field.name()))?;
    for row in 0..rows.len() {
        writer.write_record(columns.iter().map(|column| cell(column, row)))?;
    }
    let bytes = writer.into_inner();
    bytes.map_err(|error| csv::Error::from(error.into_error()).into())
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    match column.data_type() {
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        _ => column
            .as_string_opt::<i32>()
            .map_or_else(String::new, |column| column.value(row).to_owned()),
    }
}
