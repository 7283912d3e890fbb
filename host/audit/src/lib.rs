//! Reads a store of Assay as an auditor does: what is this hash, what rests on it, is it intact.
//!
//! [`Index`] gathers what the documents of a store say of each other; [`Subject`] is what a hash,
//! a prefix of one or a name stands for; [`content`] says what is inside a file, and [`lineage`]
//! what something rests on. The crate executes nothing and loads no plugin: what can be said of a
//! store without running anything is here.

mod census;
pub mod content;
mod error;
mod index;
pub mod lineage;
mod subject;

pub use census::Census;
pub use error::{AuditError, Match};
pub use index::{ActionEntry, ActionSummary, Index, Role, RunEntry, StageUse, Unreadable};
pub use subject::Subject;
