//! Why a stage would run or not: what its action differs in from the nearest earlier one, and
//! what made it differ, back to the line of the pipeline file. The action document is stored with
//! every result, so there is always an answer. Nothing here decides whether a stage runs.

mod cause;
mod history;
mod why;

pub use self::cause::{Cause, Change, Location, StageChange};
pub(crate) use self::history::History;
pub use self::history::{Comparison, Earlier};
pub(crate) use self::why::Explainer;
pub use self::why::{Reason, Why};
