//! Reads a store of Assay as an auditor does: what is this hash, what rests on it, is it intact.
//!
//! It asks the [graph](assay_core::graph) of a store's documents, which the [`Index`] of a store is.
//! [`Subject`] is what a hash, a prefix of one or a name stands for; [`formats`] reads what is inside a file, and [`lineage`]
//! what something rests on; [`audit()`] holds everything against its name. The crate executes nothing and loads no plugin: what can be said of a
//! store without running anything is here.

mod audit;
mod census;
mod compare;
mod diff;
mod error;
pub mod formats;
pub mod lineage;
mod metrics;
mod subject;

/// The graph of a store's documents, in which subjects are found and lineage is traced.
pub use assay_store::Index;
pub use audit::{
    Affected, AffectedStage, AuditObserver, AuditReport, Counts, Fault, Finding, Location, Moved,
    Note, Remedy, RunName, Scope, audit, fix,
};
pub use census::Census;
pub use compare::{FileChange, FileDifference, compare_artifacts};
pub use diff::{RunDifference, Sides, StageDifference};
pub use error::{AuditError, Match};
pub use metrics::Metric;
pub use subject::{Subject, check_label};
