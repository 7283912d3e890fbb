//! A run as `run` prints it: the document of `--json`, from which its text is made too.

use std::borrow::Cow;
use std::collections::BTreeMap;

use assay_core::{
    ActionKey, ArtifactHash, Containment, Limits, RunHash, StageOutcome, canonical_json,
};
use assay_engine::{Labels, RunOutcome, RunReport, StageReport, TrainingParameters};
use assay_report::{Conditions, Quantity, ReportRow, SearchSummary, Statistic};
use assay_store::Store;
use serde::Serialize;

use super::ExportedReport;
use crate::ui::words::ShownPath;

/// A run, its stages and its reports.
#[derive(Serialize)]
pub(super) struct RunView<'a> {
    pub(super) run: RunHash,
    outcome: &'static str,
    pub(super) stages: Vec<StageView<'a>>,
    pub(super) reports: Vec<ReportView<'a>>,
}

#[derive(Serialize)]
pub(super) struct StageView<'a> {
    name: &'a str,
    kind: &'static str,
    pub(super) outcome: StageOutcome,
    action: Option<ActionKey>,
    artifact: Option<ArtifactHash>,
    duration_ms: Option<u64>,
    peak_memory: Option<u64>,
    containment: Option<Containment>,
    limits: Option<Limits>,
    failure: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ReportView<'a> {
    stage: &'a str,
    pub(super) files: Vec<ShownPath<'a>>,
    pub(super) rows: Vec<RowView<'a>>,
}

#[derive(Serialize)]
pub(super) struct RowView<'a> {
    pub(super) dataset: &'a str,
    pub(super) network: &'a str,
    method: &'a str,
    task: &'static str,
    algorithm: &'a str,
    pub(super) epochs: u32,
    pub(super) seeds: u32,
    pub(super) diverged: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) search: Option<&'a SearchSummary>,
    conditions: &'a Conditions,
    batch_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) published: Option<PublishedView>,
    /// In what the row falls short of the conditions of the published figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    shortfall: Option<String>,
    #[serde(flatten)]
    measured: BTreeMap<String, StatisticView>,
    #[serde(skip)]
    pub(super) row: &'a ReportRow,
    /// The mean time of the row's trainings, where there is one.
    #[serde(skip)]
    pub(super) training_ms: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct PublishedView {
    #[serde(rename = "train_error")]
    train: Option<f64>,
    #[serde(rename = "test_error")]
    pub(super) test: Option<f64>,
    #[serde(rename = "test_top_5_error")]
    test_top_5: Option<f64>,
}

#[derive(Serialize)]
struct StatisticView {
    mean: f64,
    sd: Option<f64>,
    n: u32,
}

impl<'a> RunView<'a> {
    pub(super) fn of(run: &'a RunReport, reports: &'a [ExportedReport], store: &Store) -> Self {
        let trainings = trainings(run, store);
        let reports = reports.iter().map(|report| ReportView {
            stage: &report.stage,
            files: report.paths.iter().map(|path| ShownPath(path)).collect(),
            rows: report
                .rows
                .iter()
                .map(|row| RowView::of(row, &trainings))
                .collect(),
        });
        Self {
            run: run.hash,
            outcome: match run.outcome {
                RunOutcome::Complete => "complete",
                RunOutcome::Failed => "failed",
                RunOutcome::Stopped => "stopped",
            },
            stages: run.stages.iter().map(StageView::of).collect(),
            reports: reports.collect(),
        }
    }
}

impl<'a> StageView<'a> {
    fn of(stage: &'a StageReport) -> Self {
        let result = stage.result.as_ref();
        Self {
            name: &stage.planned.name,
            kind: stage.planned.kind().name(),
            outcome: stage.outcome,
            action: stage.key,
            artifact: result.map(|result| result.artifact),
            duration_ms: result.map(|result| result.duration_ms),
            peak_memory: result.map(|result| result.peak_memory),
            containment: result.and_then(|result| result.containment),
            limits: result.map(|result| result.limits),
            failure: stage.failure.as_ref().map(ToString::to_string),
        }
    }
}

impl<'a> RowView<'a> {
    fn of(row: &'a ReportRow, trainings: &[Training<'_>]) -> Self {
        let measured = Quantity::of(row.task).iter().filter_map(|quantity| {
            let Statistic { mean, sd, n } = row.get(*quantity)?;
            Some((quantity.name(row.task), StatisticView { mean, sd, n }))
        });
        Self {
            dataset: &row.label.dataset,
            network: &row.label.network,
            method: &row.label.method,
            task: row.task.name(),
            algorithm: &row.algorithm,
            epochs: row.epochs,
            seeds: row.seeds,
            diverged: row.diverged,
            search: row.search.as_ref(),
            conditions: &row.conditions,
            batch_size: row.batch_size,
            shortfall: row.shortfall(),
            published: row.figures.map(|figures| PublishedView {
                train: figures.train_error,
                test: figures.test_error,
                test_top_5: figures.test_top_5_error,
            }),
            measured: measured.collect(),
            row,
            training_ms: training_time(row, trainings),
        }
    }
}

/// A training of a run that tables have as a row.
struct Training<'a> {
    labels: &'a Labels,
    parameters: Cow<'a, TrainingParameters>,
    /// Its hyper-parameters as canonical JSON, which writes equal numbers alike: a `1.0` of the
    /// pipeline file is a `1` in a report's table.
    hyperparameters: Vec<u8>,
    duration_ms: u64,
}

fn trainings<'a>(run: &'a RunReport, store: &Store) -> Vec<Training<'a>> {
    let trainings = run.stages.iter().filter_map(|stage| {
        let parameters = stage.training(store)?;
        Some(Training {
            labels: stage.planned.labels.as_ref()?,
            duration_ms: stage.result.as_ref()?.duration_ms,
            hyperparameters: canonical_json(&parameters.hyperparameters).ok()?,
            parameters,
        })
    });
    trainings.collect()
}

/// The mean time of the row's trainings. Times are facts of executions and lie in their results,
/// so a cached training has the time it once took.
fn training_time(row: &ReportRow, trainings: &[Training<'_>]) -> Option<u64> {
    let hyperparameters = canonical_json(&row.hyperparameters).ok()?;
    let of_row = trainings.iter().filter(|training| {
        training.labels.dataset == row.label.dataset
            && training.labels.network == row.label.network
            && training.parameters.algorithm == row.algorithm
            && training.parameters.epochs == row.epochs
            && training.hyperparameters == hyperparameters
    });
    let times: Vec<_> = of_row.map(|training| training.duration_ms).collect();
    times.iter().sum::<u64>().checked_div(times.len() as u64)
}
