//! The metrics of every training of a report in one table, its `metrics.parquet`. It owns the
//! columns that tell trainings apart; the rest are those of a training's own table.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use assay_network::Task;

use crate::entry::Sources;
use crate::metrics::{MetricRow, value_units};
use crate::results::Label;
use crate::summary::{Quantity, summarise};
use crate::table::{Columns, Decode, Encode, Form, TableError, TableProblem, read_rows};

/// The metrics of one training of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportTraining {
    /// Key of its row in the report.
    pub label: Label,
    /// Its seed.
    pub seed: u64,
    /// True if it diverged.
    pub diverged: bool,
    /// The artifacts that its numbers are from.
    pub sources: Sources,
    /// Its metrics by epoch.
    pub metrics: Vec<MetricRow>,
}

impl ReportTraining {
    /// A number of the protocol; nothing where it was not measured or the training diverged.
    pub fn value(&self, quantity: Quantity, task: Task) -> Option<f64> {
        if self.diverged {
            return None;
        }
        let epochs = self.metrics.iter().map(|row| row.epoch).max()?;
        summarise(&self.metrics, &[], epochs, task).get(quantity)
    }
}

/// Reads `metrics.parquet` of a report back into its trainings, in the order of label and seed. The
/// file is not trusted.
///
/// # Errors
/// A file that is missing, damaged, another table, or has a cell its column does not allow.
pub fn read_trainings(path: &Path) -> Result<Vec<ReportTraining>, TableError> {
    let mut trainings = BTreeMap::<(Label, u64), ReportTraining>::new();
    for row in read_rows::<TrainingRow<'static>>(path)? {
        let (label, seed) = (row.label.into_owned(), row.seed);
        let training = trainings.entry((label.clone(), seed));
        let training = training.or_insert_with(|| ReportTraining {
            label,
            seed,
            diverged: row.diverged,
            sources: row.sources.into_owned(),
            metrics: Vec::new(),
        });
        training.metrics.push(row.row.into_owned());
    }
    Ok(trainings.into_values().collect())
}

/// One value of one metric after one epoch of one training.
pub(crate) struct TrainingRow<'a> {
    pub(crate) label: Cow<'a, Label>,
    pub(crate) seed: u64,
    pub(crate) diverged: bool,
    pub(crate) sources: Cow<'a, Sources>,
    pub(crate) row: Cow<'a, MetricRow>,
}

impl Encode for TrainingRow<'_> {
    fn form(rows: &[Self]) -> Form {
        let mut fields: Vec<Field> = ["dataset", "network", "method"]
            .map(|name| Field::new(name, DataType::Utf8, false))
            .into();
        fields.push(Field::new("seed", DataType::UInt64, false));
        fields.push(Field::new("diverged", DataType::Boolean, false));
        fields.push(Field::new("training", DataType::Utf8, false));
        fields.push(Field::new("evaluation", DataType::Utf8, false));
        fields.extend(MetricRow::fields());
        Form {
            table: "report_metrics",
            units: value_units(rows.iter().map(|row| row.row.metric.as_str())),
            schema: Schema::new(fields),
        }
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        let text = |field: for<'r> fn(&'r Self) -> &'r str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(field)))
        };
        let seeds = rows.iter().map(|row| row.seed);
        let diverged = rows.iter().map(|row| Some(row.diverged));
        let mut columns = vec![
            text(|row| &row.label.dataset),
            text(|row| &row.label.network),
            text(|row| &row.label.method),
            Arc::new(UInt64Array::from_iter_values(seeds)),
            Arc::new(diverged.collect::<BooleanArray>()),
            text(|row| &row.sources.training),
            text(|row| &row.sources.evaluation),
        ];
        let metrics: Vec<MetricRow> = rows.iter().map(|row| row.row.as_ref().clone()).collect();
        columns.extend(MetricRow::columns(&metrics)?);
        Ok(columns)
    }
}

impl Decode for TrainingRow<'static> {
    fn forms() -> Vec<Form> {
        vec![Self::form(&[])]
    }

    fn rows(batch: &Columns<'_>) -> Result<Vec<Self>, TableProblem> {
        let text = |name| batch.get::<StringArray>(name);
        let (datasets, networks) = (text("dataset")?, text("network")?);
        let methods = text("method")?;
        let seeds: &UInt64Array = batch.get("seed")?;
        let diverged: &BooleanArray = batch.get("diverged")?;
        let (training, evaluation) = (text("training")?, text("evaluation")?);
        let metrics = MetricRow::rows(batch)?.into_iter().enumerate();
        let rows = metrics.map(|(at, row)| Self {
            label: Cow::Owned(Label {
                dataset: datasets.value(at).to_owned(),
                network: networks.value(at).to_owned(),
                method: methods.value(at).to_owned(),
            }),
            seed: seeds.value(at),
            diverged: diverged.value(at),
            sources: Cow::Owned(Sources {
                training: training.value(at).to_owned(),
                evaluation: evaluation.value(at).to_owned(),
            }),
            row: Cow::Owned(row),
        });
        Ok(rows.collect())
    }
}
