//! The content-addressed store of Assay: objects, artifacts, actions, results and runs.
//!
//! Everything a pipeline leaves on disk is here, and everything here can be checked: an object
//! is named by the BLAKE3-256 of its bytes, and whatever is not an object names one. The layout
//! is described in `artifacts/README.md`. The crate needs neither libtorch nor plugins, so an
//! auditor can depend on it alone.
//!
//! # What holds after a crash
//! Data is written to a temporary file, flushed and renamed; the marker that vouches for it (a
//! result record, a run marker) is written after it, its folders flushed as well. A process
//! killed at any instant leaves the old state or the new one. Any number of processes may use
//! one store.

mod disk;
mod document;
mod error;
mod lock;
mod object;
mod result;
mod source;
mod store;

pub use document::DOCUMENT_LIMIT;
pub use error::StoreError;
pub use lock::ActionLock;
pub use source::SourceHashes;
pub use store::Store;
