//! Opens a Parquet file of unknown origin as a table. Memory grows with the rows decoded at a
//! time, never with the rows claimed.

use std::path::Path;

use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::table::Table;

/// How many rows are decoded at a time.
const ROWS: usize = 4096;
/// Far above any real table: a few crafted bytes can claim rows for days.
const MOST_ROWS: i64 = 1 << 27;

pub(crate) fn open(path: &Path) -> Result<Table, String> {
    let file = assay_files::open(path).map_err(|error| error.to_string())?;
    // The columns' types are those of Parquet itself: an embedded Arrow schema could claim others.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
    let builder = builder.map_err(|error| format!("it is no sound Parquet file: {error}"))?;
    let rows = builder.metadata().file_metadata().num_rows();
    if !(0..=MOST_ROWS).contains(&rows) {
        return Err(format!("it claims {rows} rows"));
    }
    let pairs = builder.metadata().file_metadata().key_value_metadata();
    let metadata = pairs.into_iter().flatten();
    let metadata = metadata.map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default()));
    let metadata = metadata.collect();
    let schema = builder.schema().clone();
    let batches = builder.with_batch_size(ROWS).build();
    let batches = batches.map_err(|error| error.to_string())?;
    Ok(Table {
        schema,
        metadata,
        batches: Box::new(batches.map(|batch| batch.map_err(|error| error.to_string()))),
    })
}
