//! The metrics of two evaluations or reports side by side: rows are matched by what they are
//! about, so that another order or another set of rows confuses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use assay_core::ArtifactHash;
use assay_store::{Store, StoreError};
use serde::Serialize;

use crate::formats::{FormatError, guarded, parquet};

/// The tables of metrics in the artifacts of stages that measure or report.
const TABLES: [&str; 2] = ["evaluation.parquet", "table.parquet"];
/// More rows than any table of metrics that a person compares.
const MOST_ROWS: usize = 100_000;
/// The columns that say which metric a row is about, and its value, where a row has one metric.
const METRIC: &str = "metric";
const VALUE: &str = "value";
/// Texts that tell how a row came about, and not what it is about.
const NOT_KEYS: [&str; 2] = ["algorithm", "hyperparameters"];

/// A metric that is not the same in two tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Subject of the measurement, such as state and split, or dataset, network and method.
    pub of: BTreeMap<String, String>,
    /// Its name.
    pub metric: String,
    /// Its value in the first table, if it is there.
    pub before: Option<f64>,
    /// Its value in the second.
    pub now: Option<f64>,
}

/// The metrics that differ between two artifacts, by what they are about. An artifact without a
/// table of metrics, or with one that cannot be read, has none.
///
/// # Errors
/// A manifest cannot be read.
pub(crate) fn differing_metrics(
    store: &Store,
    before: ArtifactHash,
    now: ArtifactHash,
) -> Result<Vec<Metric>, StoreError> {
    let read = |artifact| {
        let files = store.artifact(artifact)?.files;
        let Some(file) = TABLES.iter().find_map(|name| files.get(*name)) else {
            return Ok::<_, StoreError>(None);
        };
        store.verify(file.object)?;
        let path = store.object_path(file.object);
        Ok(guarded(|| self::read(&path)).ok())
    };
    let (Some(before), Some(now)) = (read(before)?, read(now)?) else {
        return Ok(Vec::new());
    };
    let keys: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let metrics = keys.into_iter().map(|key| Metric {
        of: key.0.clone(),
        metric: key.1.clone(),
        before: before.get(key).copied(),
        now: now.get(key).copied(),
    });
    let bits = |value: Option<f64>| value.map(f64::to_bits);
    Ok(metrics
        .filter(|metric| bits(metric.before) != bits(metric.now))
        .collect())
}

/// Subject of a measurement, and the name of its metric.
type Key = (BTreeMap<String, String>, String);

fn read(path: &Path) -> Result<BTreeMap<Key, f64>, FormatError> {
    let mut metrics = BTreeMap::new();
    for batch in parquet::open(path)?.batches {
        add(&batch?, &mut metrics);
        if metrics.len() > MOST_ROWS {
            return Err("it has too many rows".into());
        }
    }
    Ok(metrics)
}

fn add(batch: &RecordBatch, metrics: &mut BTreeMap<Key, f64>) {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let name = field.name().clone();
        match field.data_type() {
            DataType::Utf8 => texts.extend(column.as_string_opt::<i32>().map(|it| (name, it))),
            DataType::Float64 => {
                let numeric = column.as_primitive_opt::<Float64Type>();
                numbers.extend(numeric.map(|it| (name, it)));
            }
            _ => {}
        }
    }
    for row in 0..batch.num_rows() {
        let mut of: BTreeMap<_, _> = texts
            .iter()
            .filter(|(name, column)| !NOT_KEYS.contains(&name.as_str()) && column.is_valid(row))
            .map(|(name, column)| (name.clone(), column.value(row).to_owned()))
            .collect();
        let own_name = of.remove(METRIC);
        for (name, column) in numbers.iter().filter(|(_, column)| column.is_valid(row)) {
            let metric = match &own_name {
                Some(own) if name == VALUE => own.clone(),
                _ => name.clone(),
            };
            metrics.insert((of.clone(), metric), column.value(row));
        }
    }
}
