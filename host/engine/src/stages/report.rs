//! The report stage: gathers trainings and their evaluations into tables and pages, and what a
//! plan must know of published figures before it can be an action.

use std::path::Path;

use assay_core::{Complaints, Diagnostic, PlannedStage, StageKind};
use assay_report::{Citation, Entry, Figures, Reference, Report, read_evaluation, read_metrics};
use serde::Deserialize;
use serde_json::Value;

use crate::source_file::read_or_reason;

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
    /// Where the entries' figures are from.
    reference: Option<Citation>,
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
    /// Published figures for this method on this network.
    figures: Option<Figures>,
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
            figures: entry.figures,
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

/// A file of published figures may not be larger.
const LARGEST_REFERENCE: u64 = 1 << 20;

/// Puts the published figures that each report stage names into its parameters, so that the
/// figures decide its key and the file's name does not.
pub(crate) fn complete_reports(
    mut stages: Vec<PlannedStage>,
    base: &Path,
    complaints: &mut Complaints,
) -> Vec<PlannedStage> {
    for stage in &mut stages {
        let path = match stage.parameters.get("reference").and_then(Value::as_str) {
            Some(path) if stage.kind == StageKind::Report => base.join(path),
            _ => continue,
        };
        if let Err(problem) = complete(stage, &path) {
            let message = format!("{} {problem}", path.display());
            let place = stage.place("reference");
            complaints.extend(place.map(|place| Diagnostic::new(message, place)));
        }
    }
    stages
}

fn complete(stage: &mut PlannedStage, path: &Path) -> Result<(), String> {
    let text = read_or_reason(path, "a file of published figures", LARGEST_REFERENCE)
        .map_err(|reason| format!("cannot be read: {reason}"))?;
    let reference = Reference::parse(&text)
        .map_err(|error| format!("is no file of published figures: {error}"))?;
    let json = |value: Result<Value, serde_json::Error>| value.map_err(|error| error.to_string());
    let citation = json(serde_json::to_value(&reference.citation))?;
    stage.parameters.insert("reference".to_owned(), citation);
    let entries = stage.parameters.get_mut("entries");
    for entry in entries.and_then(Value::as_array_mut).into_iter().flatten() {
        let name = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        if let Some(figures) = reference.figures(name("network"), name("method")) {
            let figures = json(serde_json::to_value(figures))?;
            if let Some(entry) = entry.as_object_mut() {
                entry.insert("figures".to_owned(), figures);
            }
        }
    }
    Ok(())
}
