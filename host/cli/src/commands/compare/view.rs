//! Comparisons as a document for scripts.

use assay_core::ArtifactHash;
use assay_report::{Cell, Comparison, Label, Measured, Verdict};
use assay_statistics::{Interval, Sample};
use serde::Serialize;

/// Comparisons, and what they are about.
#[derive(Serialize)]
pub(super) struct CompareView {
    pub(super) reports: Vec<ArtifactHash>,
    pub(super) metric: String,
    pub(super) unit: &'static str,
    pub(super) chosen_on_test: bool,
    pub(super) confidence: f64,
    pub(super) comparisons: Vec<ComparisonView>,
    #[serde(skip)]
    pub(super) decimals: usize,
    /// Whether the rows compared are of two runs.
    #[serde(skip)]
    pub(super) of_two_runs: bool,
}

impl CompareView {
    /// The number of comparisons that p-values are adjusted for.
    pub(super) fn family(&self) -> usize {
        let tested = self.comparisons.iter();
        tested.filter(|it| it.p_adjusted.is_some()).count()
    }
}

#[derive(Serialize)]
pub(super) struct ComparisonView {
    pub(super) first: RowView,
    pub(super) second: RowView,
    #[serde(flatten)]
    pub(super) measured: Measured,
    pub(super) interval_new_images: Option<Interval>,
    pub(super) p_adjusted: Option<f64>,
    pub(super) verdict: Verdict,
    pub(super) seeds_needed: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct RowView {
    pub(super) dataset: String,
    pub(super) network: String,
    pub(super) method: String,
    pub(super) seeds: usize,
    /// Trainings without a value, as those that diverged.
    pub(super) missing: usize,
    pub(super) mean: Option<f64>,
    pub(super) standard_deviation: Option<f64>,
    pub(super) interval: Option<Interval>,
}

impl From<&Cell> for RowView {
    fn from(cell: &Cell) -> Self {
        let Label {
            dataset,
            network,
            method,
        } = cell.label.clone();
        let sample = cell.sample();
        let sample = sample.as_ref();
        Self {
            dataset,
            network,
            method,
            seeds: cell.values.len(),
            missing: cell.missing(),
            mean: sample.map(Sample::mean),
            standard_deviation: sample.and_then(Sample::standard_deviation),
            interval: sample.and_then(Sample::mean_interval),
        }
    }
}

impl From<Comparison> for ComparisonView {
    fn from(comparison: Comparison) -> Self {
        Self {
            first: (&comparison.first).into(),
            second: (&comparison.second).into(),
            measured: comparison.measured,
            interval_new_images: comparison.interval_new_images,
            p_adjusted: comparison.p_adjusted,
            verdict: comparison.verdict,
            seeds_needed: comparison.seeds_needed,
        }
    }
}
