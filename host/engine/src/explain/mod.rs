//! Why a stage would run or not: what its action differs in from the nearest earlier one, and
//! what made it differ, back to the line of the pipeline file. The action document is stored with
//! every result, so there is always an answer. Nothing here decides whether a stage runs.

mod cause;
mod history;
mod why;

use assay_core::{ActionKey, Difference};

pub use self::cause::{Cause, Change, Location, StageChange};
pub(crate) use self::history::History;
pub use self::history::{Comparison, Earlier};
pub(crate) use self::why::Explainer;
pub use self::why::{Answer, Why};

/// Why a stage would or would not run.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Its result is there.
    Cached,
    /// Nothing of its kind has ever run in this store.
    FirstOfItsKind,
    /// It failed when it last ran.
    Failed,
    /// Its result is there, but a file of its artifact is missing or damaged.
    Damaged,
    /// It differs from every action that has a result; these are the differences to the nearest.
    Differs {
        /// The nearest action.
        nearest: ActionKey,
        /// The differences, by field.
        differences: Vec<Difference>,
    },
    /// Its plugin cannot be used.
    Refused {
        /// The reason.
        why: String,
    },
    /// It reads what is not there yet, so its key is not known.
    DependsOn {
        /// The names of the stages it waits for.
        stages: Vec<String>,
    },
}
