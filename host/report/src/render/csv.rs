//! The table as CSV: the columns of `table.parquet` at full precision, absent numbers empty. For
//! spreadsheets and scripts; people read the other formats.

use assay_network::Task;

use crate::results::{ReportRow, settings_json};
use crate::search::SearchSummary;
use crate::summary::Quantity;
use crate::table::Encode;

pub(super) fn render(rows: &[ReportRow]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let form = ReportRow::form(rows);
    writer.write_record(form.schema.fields().iter().map(|field| field.name()))?;
    for row in rows {
        writer.write_record(record(row))?;
    }
    let bytes = writer.into_inner();
    bytes.map_err(|error| csv::Error::from(error.into_error()))
}

fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn record(row: &ReportRow) -> Vec<String> {
    let mut cells = vec![
        row.label.dataset.clone(),
        row.label.network.clone(),
        row.label.method.clone(),
        row.algorithm.clone(),
        settings_json(&row.hyperparameters),
        row.epochs.to_string(),
        row.seeds.to_string(),
        row.diverged.to_string(),
    ];
    for quantity in Quantity::of(row.task) {
        let statistic = row.get(*quantity);
        cells.push(number(statistic.map(|one| one.mean)));
        cells.push(number(statistic.and_then(|one| one.sd)));
        cells.push(statistic.map_or(0, |one| one.n).to_string());
    }
    let search = row.search.as_ref();
    let count =
        |of: fn(&SearchSummary) -> u32| search.map_or(String::new(), |it| of(it).to_string());
    cells.extend([
        search.map_or(String::new(), |it| it.chosen_on.to_string()),
        count(|it| it.trials),
        count(|it| it.diverged),
        number(search.and_then(|it| it.error)),
        number(search.and_then(|it| it.optimism)),
    ]);
    if row.task == Task::Classification {
        let figures = row.figures.unwrap_or_default();
        let published = [
            figures.test_error,
            figures.train_error,
            figures.test_top_5_error,
        ];
        cells.extend(published.map(number));
    }
    cells
}
