//! Metric tables of Assay and the reports made from them.
//!
//! Values in, files out: this crate owns the Parquet schemas, the protocol's numbers and the pages
//! a person reads. It never trains, knows no plugin and no store, and writes no time, host or
//! other fact of the moment into a report, so that equal inputs give equal bytes. Times have a page of their own.

mod comparison;
mod conditions;
mod curve;
mod entry;
mod file;
mod measure;
mod metrics;
mod predictions;
mod reconstructions;
mod record;
mod reference;
mod render;
mod report;
mod results;
mod scalars;
mod search;
mod summary;
mod table;
mod times;
mod trainings;

pub use assay_network::Task;
pub use comparison::{Cell, Comparison, Measured, Verdict, compare};
pub use conditions::{Conditions, PublishedConditions, shortfalls};
pub use entry::{ReportEntry, Sources, is_diverged};
pub use file::FileError;
pub use measure::ErrorMeasure;
pub use metrics::{
    BATCH_LOSS, ERROR, EvaluationRow, LOSS, MAJORITY_CLASS_ERROR, MetricRow, ParseNameError,
    RECONSTRUCTION_ERROR, Split, State, TOP_5_ERROR, alignment_metric, read_evaluation,
    read_metrics, write_evaluation, write_metrics,
};
pub use predictions::{PredictionRow, read_predictions, write_predictions};
pub use reconstructions::{ReconstructionRow, read_reconstructions, write_reconstructions};
pub use record::{RecordNames, TrainingRecord, TrainingTable};
pub use reference::{Citation, Figures, Reference, ReferenceError};
pub use render::{RenderError, TIMES, write_times};
pub use report::{Report, ReportError};
pub use results::{Label, ReportRow, read_table};
pub use scalars::{Scalar, ScalarFile, safe_name, stage_folder};
pub use search::{Search, SearchSummary, SearchTrial};
pub use summary::{Choice, EpochRange, Quantity, Statistic, Summary, summarise};
pub use table::{TableError, TableProblem};
pub use times::TimedTraining;
pub use trainings::{ReportTraining, read_trainings};
