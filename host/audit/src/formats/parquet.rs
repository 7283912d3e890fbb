//! Parquet tables. Memory grows with the rows decoded at a time, never with the rows claimed.

use std::path::Path;

use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::error::FormatError;
use super::shape::{Format, Head, Inside, Summary};
use super::table::{self, TableFile};

/// Rows that are decoded at a time, where all of them are.
const ROWS: usize = 4096;
/// Far above any real table: a few crafted bytes can claim rows for days.
const MOST_ROWS: i64 = 1 << 27;

pub(super) const FORMAT: Format = Format {
    name: "a Parquet table",
    content: "a table (Parquet)",
    recognise: |head| Ok(head.bytes.starts_with(b"PAR1")),
    summarise,
    compare: Some(compare),
};

fn summarise(head: &Head, rows: usize) -> Result<Summary, FormatError> {
    let builder = builder(&head.path)?;
    let claimed = builder.metadata().file_metadata().num_rows();
    let claimed = u64::try_from(claimed).unwrap_or(0);
    let table = table_file(builder, rows.max(1))?.summarise(claimed, rows)?;
    Ok(Summary::Table { table })
}

fn compare(before: &Path, now: &Path) -> Result<Inside, FormatError> {
    table::compare(open(before)?, open(now)?).map(Inside::Table)
}

/// Opens a table of which all rows are to be read.
pub(crate) fn open(path: &Path) -> Result<TableFile, FormatError> {
    let builder = builder(path)?;
    let rows = builder.metadata().file_metadata().num_rows();
    if !(0..=MOST_ROWS).contains(&rows) {
        return Err(FormatError::Malformed(format!("it claims {rows} rows")));
    }
    table_file(builder, ROWS)
}

type Builder = ParquetRecordBatchReaderBuilder<std::fs::File>;

fn builder(path: &Path) -> Result<Builder, FormatError> {
    let file = assay_files::open(path)?;
    // The columns' types are those of Parquet itself: an embedded Arrow schema could claim others.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    Ok(Builder::try_new_with_options(file, options)?)
}

fn table_file(builder: Builder, rows: usize) -> Result<TableFile, FormatError> {
    let pairs = builder.metadata().file_metadata().key_value_metadata();
    let pairs = pairs.into_iter().flatten();
    let metadata = pairs.map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default()));
    Ok(TableFile {
        metadata: metadata.collect(),
        schema: builder.schema().clone(),
        batches: Box::new(
            builder
                .with_batch_size(rows)
                .build()?
                .map(|batch| Ok(batch?)),
        ),
    })
}
