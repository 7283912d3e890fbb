//! Reads a store of Assay as an auditor does: what is this hash, what rests on it, is it intact.
//!
//! [`Index`] gathers what the documents of a store say of each other; [`Subject`] is what a hash,
//! a prefix of one or a name stands for. The crate executes nothing and loads no plugin: what can
//! be said of a store without running anything is here.

mod compare;
mod diff;
mod error;
mod index;
mod metrics;
mod subject;

pub use compare::{
    BytesDifference, ColumnDifference, ContentDifference, FileChange, FileDifference, Inside,
    LargestElement, LineDifference, SchemaDifference, TableDifference, TensorChange,
    TensorDifference, TensorsDifference, TextDifference, ValuesDifference, compare_artifacts,
    compare_files,
};
pub use diff::{RunDifference, StageDifference};
pub use error::{AuditError, Match};
pub use index::{ActionEntry, ActionSummary, Index, Role, RunEntry, StageUse, Unreadable};
pub use metrics::Metric;
pub use subject::Subject;
