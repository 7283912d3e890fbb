//! The report stage: gathers trainings and their evaluations into tables and pages.

use assay_report::{Entry, Report, read_evaluation, read_metrics};
use serde::Deserialize;

use super::evaluate::EVALUATION;
use super::train::{METRICS, TRAINING};
use super::{Context, Outputs, PARQUET, StageError, TrainingDocument, data, read_document};

/// The report's table as columns: what a terminal shows is read back from it.
pub const REPORT_TABLE: &str = "table.parquet";

/// The files of a report's artifact, with their media types.
const FILES: [(&str, &str); 5] = [
    (REPORT_TABLE, PARQUET),
    ("metrics.parquet", PARQUET),
    ("table.csv", "text/csv"),
    ("table.md", "text/markdown"),
    ("report.html", "text/html"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    title: String,
    entries: Vec<EntryParameters>,
}

/// One training, by the roles of its inputs and the names that a table gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryParameters {
    method: String,
    network: String,
    dataset: String,
    training: String,
    evaluation: String,
}

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: Parameters = context.parameters()?;
    let entries = parameters.entries.into_iter().map(|entry| {
        let training: TrainingDocument = read_document(context.input(&entry.training, TRAINING)?)?;
        let settings = training.parameters;
        Ok(Entry {
            method: entry.method,
            algorithm: settings.algorithm,
            network: entry.network,
            dataset: entry.dataset,
            task: settings.network.task(),
            seed: settings.seed,
            epochs: settings.epochs,
            hyperparameters: settings.hyperparameters,
            metrics: read_metrics(context.input(&entry.training, METRICS)?).map_err(data)?,
            evaluation: read_evaluation(context.input(&entry.evaluation, EVALUATION)?)
                .map_err(data)?,
        })
    });
    let entries = entries.collect::<Result<Vec<_>, StageError>>()?;
    let report = Report::build(parameters.title, entries).map_err(data)?;
    let mut outputs = Outputs::default();
    report.write(&context.out, None).map_err(data)?;
    for (name, media_type) in FILES {
        outputs.add(name, media_type);
    }
    Ok(outputs)
}
