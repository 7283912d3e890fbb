//! The content-addressed store of Assay: objects, artifacts, actions, results and runs.
//!
//! Everything a pipeline leaves on disk is here, and everything here can be checked: an object
//! is named by the BLAKE3-256 of its bytes, and whatever is not an object names one. The layout
//! is described in `artifacts/README.md`. The crate needs neither libtorch nor plugins, so an
//! auditor can depend on it alone.
//!
//! # What holds after a crash
//! Whatever appears under its name is whole: it is written elsewhere in the same file system and
//! renamed. A record that refers to data (a result record, a run marker) is written after
//! the data and the names of the data were flushed to disk. So a process killed at any instant, or a
//! power cut, leaves the old state or the new one. Any number of processes may use one store, and
//! [garbage can be collected](Store::collection) beside them.
//!
//! ```
//! use assay_store::Store;
//!
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path().join("artifacts");
//! let store = Store::open(&root)?;
//! let object = store.put_bytes(b"weights")?;
//! assert_eq!(store.read(object)?, b"weights");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod collect;
mod disk;
mod document;
mod error;
mod examine;
mod forget;
mod gate;
mod index;
mod known;
mod lease;
mod lock;
mod object;
mod partial;
mod pin;
mod quarantine;
mod reader;
mod result;
mod running;
mod source;
mod stamp;
mod store;
mod survey;

pub use collect::{Amount, Collection, Garbage, GarbageFile, GarbageItem, GarbageKind, Retention};
pub use document::DOCUMENT_LIMIT;
pub use error::StoreError;
pub use examine::Found;
pub use index::Index;
pub use known::KnownResults;
pub use lease::GcGuard;
pub use lock::ActionLock;
pub use object::ObjectFolder;
pub use partial::PartialObject;
pub use pin::{PIN_LIMIT, check_pin_label, parse_pin};
pub use quarantine::QuarantineNote;
pub use reader::ObjectReader;
pub use running::{FoundRunLog, RunLog};
pub use source::SourceHashes;
pub use stamp::Stamp;
pub use store::Store;
pub use survey::{Marker, Survey};
