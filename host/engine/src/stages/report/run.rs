//! Writes a report from trainings and their evaluations.

use assay_report::{Report, ReportEntry, read_evaluation, read_metrics};

use super::{REPORT_TABLE, ReportParameters};
use crate::stages::evaluate::EVALUATION;
use crate::stages::train::{METRICS, TRAINING, TrainingDocument};
use crate::stages::{Context, Outputs, PARQUET, StageError, data, read_document};

/// The files of a report's artifact, with their media types.
const FILES: [(&str, &str); 5] = [
    (REPORT_TABLE, PARQUET),
    ("metrics.parquet", PARQUET),
    ("table.csv", "text/csv"),
    ("table.md", "text/markdown"),
    ("report.html", "text/html"),
];

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: ReportParameters = context.parameters()?;
    let entries = parameters.entries.into_iter().map(|entry| {
        let training: TrainingDocument = read_document(context.input(&entry.training, TRAINING)?)?;
        let settings = training.parameters;
        Ok(ReportEntry {
            method: entry.method,
            algorithm: settings.algorithm,
            network: entry.network,
            dataset: entry.dataset,
            task: settings.network.task(),
            seed: settings.seed,
            epochs: settings.epochs,
            hyperparameters: settings.hyperparameters,
            figures: entry.figures,
            diverged_in_epoch: training.diverged_in_epoch,
            metrics: read_metrics(context.input(&entry.training, METRICS)?).map_err(data)?,
            evaluation: read_evaluation(context.input(&entry.evaluation, EVALUATION)?)
                .map_err(data)?,
        })
    });
    let entries = entries.collect::<Result<Vec<_>, StageError>>()?;
    let mut report = Report::build(parameters.title, entries).map_err(data)?;
    if let Some(citation) = parameters.reference {
        report = report.beside(citation);
    }
    let mut outputs = Outputs::default();
    report.write(&context.out, None).map_err(data)?;
    for (name, media_type) in FILES {
        outputs.add(name, media_type);
    }
    Ok(outputs)
}
