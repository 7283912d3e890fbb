//! Reads a store of Assay as an auditor does: what is this hash, what rests on it, is it intact.
//!
//! [`Index`] gathers what the documents of a store say of each other; [`Subject`] is what a hash,
//! a prefix of one or a name stands for; [`audit()`] holds everything against its name. The crate
//! executes nothing and loads no plugin: what can be said of a store without running anything is
//! here.

mod audit;
mod error;
mod index;
mod subject;

pub use audit::{
    Affected, AffectedStage, AuditObserver, AuditReport, Counts, Fault, Finding, Moved, Note,
    Place, Remedy, RunName, Scope, audit, fix,
};
pub use error::{AuditError, Match};
pub use index::{ActionEntry, ActionSummary, Index, Role, RunEntry, StageUse, Unreadable};
pub use subject::Subject;
