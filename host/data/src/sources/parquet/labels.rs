//! The labels of a file, of whichever integer type they are.

use std::fs::File;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::set::DataFile;
use crate::error::DatasetError;

/// Reads the column `label` of the whole file.
pub(super) fn read(
    file: &DataFile,
    builder: ParquetRecordBatchReaderBuilder<File>,
    label: &str,
) -> Result<Vec<u16>, DatasetError> {
    let kind = builder.schema().field_with_name(label).ok();
    match kind.map(Field::data_type) {
        None => return Err(file.wrong_column(builder.schema(), label, "is missing")),
        Some(kind) if !kind.is_integer() => {
            let problem = format!("holds {kind} where whole numbers are needed");
            return Err(file.wrong_column(builder.schema(), label, &problem));
        }
        Some(_) => {}
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), [label]);
    let reader = builder
        .with_projection(mask)
        .build()
        .map_err(|error| file.damaged(error))?;
    let mut labels = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| file.damaged(error))?;
        append(file, &batch, &mut labels)?;
    }
    Ok(labels)
}

fn append(file: &DataFile, batch: &RecordBatch, labels: &mut Vec<u16>) -> Result<(), DatasetError> {
    // A number that 64 bits do not hold becomes null, and is refused as one.
    let column = cast(batch.column(0), &DataType::Int64);
    let column = column.map_err(|error| file.damaged(error))?;
    for label in column.as_primitive::<Int64Type>() {
        let read = label.and_then(|label| u16::try_from(label).ok());
        let row = labels.len() as u64;
        labels.push(read.ok_or_else(|| {
            let problem = label.map_or("no label".to_owned(), |label| {
                format!("label {label}, which is no class")
            });
            file.wrong_label(row, &problem)
        })?);
    }
    Ok(())
}
