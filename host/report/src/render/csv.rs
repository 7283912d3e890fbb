//! The table as CSV: the columns of `table.parquet` at full precision, absent numbers empty. For
//! spreadsheets and scripts; people read the other formats.

use crate::results::{ReportRow, settings_json, task_of};
use crate::summary::Quantity;
use crate::table::Encode;

pub(super) fn render(rows: &[ReportRow]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let form = ReportRow::form(rows);
    writer.write_record(form.schema.fields().iter().map(|field| field.name()))?;
    for row in rows {
        writer.write_record(record(row, Quantity::of(task_of(rows))))?;
    }
    let bytes = writer.into_inner();
    bytes.map_err(|error| csv::Error::from(error.into_error()))
}

fn record(row: &ReportRow, quantities: &[Quantity]) -> Vec<String> {
    let mut cells = vec![
        row.label.dataset.clone(),
        row.label.network.clone(),
        row.label.method.clone(),
        row.algorithm.clone(),
        settings_json(&row.hyperparameters),
        row.epochs.to_string(),
        row.seeds.to_string(),
    ];
    for quantity in quantities {
        let statistic = row.get(*quantity);
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        cells.push(number(statistic.map(|one| one.mean)));
        cells.push(number(statistic.and_then(|one| one.sd)));
        cells.push(statistic.map_or(0, |one| one.n).to_string());
    }
    cells
}
