//! The rows as Parquet: one row for each thing measured, units in the columns' names.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::Failure;
use crate::row::Row;

/// Writes `path`, whole or not at all.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Result<(), Failure> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns(rows))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    let bytes = writer.into_inner()?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(&bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn columns(rows: &[Row]) -> Vec<(&'static str, ArrayRef, bool)> {
    let text = |get: fn(&Row) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(get)))
    };
    let count = |get: fn(&Row) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(get)))
    };
    let number = |get: fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(get).collect::<Float64Array>())
    };
    let memory = UInt64Array::from_iter_values(rows.iter().map(|row| row.peak_memory));
    vec![
        ("network", text(|row| &row.network), false),
        ("algorithm", text(|row| &row.algorithm), false),
        ("implementation", text(|row| &row.implementation), false),
        ("version", text(|row| &row.version), false),
        ("threads", count(|row| row.threads), false),
        ("batch", count(|row| row.batch), false),
        ("rounds", count(|row| row.rounds), false),
        ("steps_per_round", count(|row| row.steps), false),
        (
            "ms_per_step",
            number(|row| Some(row.milliseconds.median)),
            false,
        ),
        (
            "ms_per_step_min",
            number(|row| Some(row.milliseconds.min)),
            false,
        ),
        (
            "ms_per_step_max",
            number(|row| Some(row.milliseconds.max)),
            false,
        ),
        (
            "samples_per_s",
            number(|row| Some(row.samples_per_second)),
            false,
        ),
        ("gemm_percent", number(|row| row.product_percent), true),
        (
            "gemm_gflop_per_s",
            number(|row| Some(row.product_rate)),
            false,
        ),
        (
            "times_faster_than_pytorch",
            number(|row| row.over_pytorch),
            true,
        ),
        ("times_time_of_own_bp", number(|row| row.times_bp), true),
        ("peak_memory_bytes", Arc::new(memory), false),
        ("processor", text(|row| &row.machine.processor), false),
        ("cores", count(|row| row.machine.cores), false),
    ]
}
