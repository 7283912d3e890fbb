//! The metrics of every training of a report in one table, its `metrics.parquet`. It owns the
//! columns that tell trainings apart; the rest are those of a training's own table.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};

use crate::metrics::{MetricRow, value_units};
use crate::results::Label;
use crate::table::{Encode, Form, TableProblem};

/// One value of one metric after one epoch of one training.
pub(crate) struct TrainingRow<'a> {
    pub(crate) label: &'a Label,
    pub(crate) seed: u64,
    pub(crate) row: &'a MetricRow,
}

impl Encode for TrainingRow<'_> {
    fn form(rows: &[Self]) -> Form {
        let mut fields: Vec<Field> = ["dataset", "network", "method"]
            .map(|name| Field::new(name, DataType::Utf8, false))
            .into();
        fields.push(Field::new("seed", DataType::UInt64, false));
        fields.extend(MetricRow::fields());
        Form {
            table: "report_metrics",
            units: value_units(rows.iter().map(|row| row.row.metric.as_str())),
            schema: Schema::new(fields),
        }
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        let text = |field: fn(&Label) -> &str| -> ArrayRef {
            let values = rows.iter().map(|row| field(row.label));
            Arc::new(StringArray::from_iter_values(values))
        };
        let mut columns = vec![
            text(|label| &label.dataset),
            text(|label| &label.network),
            text(|label| &label.method),
            Arc::new(UInt64Array::from_iter_values(
                rows.iter().map(|row| row.seed),
            )),
        ];
        let metrics: Vec<MetricRow> = rows.iter().map(|row| row.row.clone()).collect();
        columns.extend(MetricRow::columns(&metrics)?);
        Ok(columns)
    }
}
