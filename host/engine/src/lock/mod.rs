//! The lock of a pipeline file: which library each plugin was, and which content each dataset's
//! source had. It lies beside the pipeline file and is made for version control.

mod document;
mod watch;

pub use document::{LockError, lock_path};
pub(crate) use watch::LockWatch;
pub use watch::{LockDifference, LockMode};
