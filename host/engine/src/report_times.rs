//! The times of a report's trainings, from the results of their executions.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use assay_core::{ActionKey, ActionResult, Advice, ArtifactHash};
use assay_report::{
    RenderError, TableError, TimedTraining, read_table, read_trainings, write_times,
};
use assay_store::{Store, StoreError};
use serde_json::Value;

use crate::ask::remembered;
use crate::stages::{REPORT_METRICS, REPORT_TABLE};

/// Why the times of a report's trainings cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportTimesError {
    /// The report is not in the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table of it cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The page cannot be written.
    #[error(transparent)]
    Page(#[from] RenderError),
}

impl Advice for ReportTimesError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Store(error) => error.help(),
            Self::Table(_) => "`pipeline audit` says what is damaged in the store".into(),
            Self::Page(_) => Cow::Borrowed(""),
        }
    }
}

/// Writes a page with the times of the trainings of a report, whose action and artifact are given, into `folder`; gives
/// whether there are any. `results` are those of trainings.
///
/// # Errors
/// See [`ReportTimesError`].
pub fn write_report_times<'a>(
    store: &Store,
    (key, report): (ActionKey, ArtifactHash),
    results: impl Iterator<Item = &'a ActionResult>,
    folder: &Path,
) -> Result<bool, ReportTimesError> {
    let timed = results.filter(|result| !result.epoch_ms.is_empty());
    let timed: HashMap<_, _> = timed
        .map(|result| (result.artifact.to_string(), result))
        .collect();
    if timed.is_empty() {
        return Ok(false);
    }
    let rows = read_table(&store.artifact_file_path(report, REPORT_TABLE)?)?;
    let trainings = read_trainings(&store.artifact_file_path(report, REPORT_METRICS)?)?;
    let mut transports = HashMap::new();
    let trainings = trainings.into_iter().filter_map(|training| {
        let result = timed.get(&training.sources.training)?;
        let transports = transports.entry(training.label.clone());
        let transports = transports.or_insert_with(|| transports_of(store, result));
        Some(TimedTraining {
            training,
            epoch_ms: result.epoch_ms.clone(),
            multiply_adds: result.multiply_adds,
            transports: transports.clone(),
            host: result.host.clone(),
            card: result.card.clone(),
            at_once: result.at_once,
        })
    });
    let trainings: Vec<_> = trainings.collect();
    let action = store.action(key)?;
    let title = action.parameters.get("title").and_then(Value::as_str);
    Ok(write_times(
        folder,
        title.unwrap_or_default(),
        &rows,
        &trainings,
    )?)
}

/// The signal that the rule of a training transports, in the words in which its plugin answered when this store asked it.
fn transports_of(store: &Store, training: &ActionResult) -> Option<String> {
    let action = store.action(training.action).ok()?;
    let algorithm = action.parameters.get("algorithm")?.as_str()?;
    let described = remembered(store, action.plugin.as_ref()?)?;
    let described = described
        .algorithms
        .iter()
        .find(|it| it.name == algorithm)?;
    described.transports().map(str::to_owned)
}
