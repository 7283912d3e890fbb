//! Lineage of a subject: everything that it was made from, down to the files that were downloaded,
//! or everything made from it, as steps from artifact to artifact, each found once. The walk does
//! not recurse and passes each step once, so that it copes with a chain of any length and ends even
//! on a cycle in an untrusted store.

mod row;
mod source;
mod step;
mod walk;

use assay_store::{Index, Store};

use crate::subject::Subject;

pub use self::row::{Row, RowError};
pub use self::source::Source;
pub use self::step::{Direction, Execution, Lineage, Link, Maker, Step};

use self::walk::Walk;

impl Lineage {
    /// The steps to or from `subject`. Where an artifact was made by several actions, the one of
    /// the run that was asked about is taken, else the one that ran first.
    pub fn of(store: &Store, index: &Index, subject: &Subject, direction: Direction) -> Self {
        let mut walk = Walk::new(store, index, direction);
        walk.begin(subject);
        walk.finish()
    }

    /// The steps that rows of a report's table rest on: those whose entries are as `rows` say.
    ///
    /// # Errors
    /// The subject is no report, or has no such row.
    pub fn of_rows(
        store: &Store,
        index: &Index,
        subject: &Subject,
        rows: &[Row],
    ) -> Result<Self, RowError> {
        let mut walk = Walk::new(store, index, Direction::Up);
        walk.begin(subject);
        walk.keep_rows(rows)?;
        Ok(walk.finish())
    }
}
