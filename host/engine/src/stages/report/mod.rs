//! The report stage: trainings and their evaluations gathered into tables and pages.

mod plan;
mod run;

use assay_report::{Citation, Figures};
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::containment::Profile;

/// The report's table as columns: what a terminal shows is read back from it.
pub const REPORT_TABLE: &str = "table.parquet";
/// The metrics of every training of a report.
pub const REPORT_METRICS: &str = "metrics.parquet";

pub(super) const KIND: Kind = Kind {
    plan: Some(plan::plan),
    run: run::run,
    profile: Profile::Sealed,
    keeps_progress: false,
    length: None,
};

/// Parameters of a report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportParameters {
    title: String,
    /// Where the entries' figures are from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<Citation>,
    entries: Vec<EntryParameters>,
}

/// One training, by the roles of its inputs and the names that a table gives it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryParameters {
    method: String,
    network: String,
    dataset: String,
    training: String,
    evaluation: String,
    /// The role of the ranking of the search that its configuration came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ranking: Option<String>,
    /// Published figures for this method on this network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    figures: Option<Figures>,
}
