//! Reads a store of Assay as an auditor does: what is this hash, what rests on it, is it intact.
//!
//! [`Index`] gathers what the documents of a store say of each other; [`Subject`] is what a hash,
//! a prefix of one or a name stands for; [`formats`] says what is inside a file, and [`lineage`]
//! what something rests on; [`audit()`] holds everything against its name. The crate executes nothing and loads no plugin: what can be said of a
//! store without running anything is here.

mod audit;
mod census;
mod compare;
mod diff;
mod error;
pub mod formats;
mod index;
pub mod lineage;
mod metrics;
mod subject;

pub use audit::{
    Affected, AffectedStage, AuditObserver, AuditReport, Counts, Fault, Finding, Moved, Note,
    Place, Remedy, RunName, Scope, audit, fix,
};
pub use census::Census;
pub use compare::{FileChange, FileDifference, compare_artifacts};
pub use diff::{RunDifference, StageDifference};
pub use error::{AuditError, Match};
pub use index::{ActionEntry, ActionSummary, Index, Role, RunEntry, StageUse, Unreadable};
pub use metrics::Metric;
pub use subject::{Subject, check_label};
