//! Bundles: one file with everything that a run rests on, for someone else to verify and execute
//! again, and the reading of such a file from someone who may be hostile.
//!
//! A bundle is a tar archive under zstd. Unpacked it is a small store of its own (see
//! `artifacts/README.md`) with one more file, `ro-crate-metadata.json`, which tells the same as a
//! Workflow Run RO-Crate. [`bundle`] writes one; [`check`] verifies one without writing, and
//! [`unbundle()`] takes one into a store. A [`Pack`], a plugin's library with the files that belong to
//! it, is an archive of the same kind. The crate executes nothing, loads no plugin and prints
//! nothing; whose signature counts is for others to say.

mod archive;
mod contents;
mod error;
mod layout;
mod limits;
mod metadata;
mod pack;
mod scan;
mod unbundle;
mod watch;
mod write;

pub use contents::{Contents, RunObject};
pub use error::{ArchiveError, BundleError, Refusal};
pub use layout::{BundleFile, FORMAT};
pub use limits::Limits;
pub use metadata::Attribution;
pub use pack::{Pack, PackError, PackText, Packed, is_pack, read_pack, write_pack};
pub use scan::Received;
pub use unbundle::{Checked, Unbundled, check, check_from, unbundle, unbundle_from};
pub use watch::Watch;
pub use write::{Bundled, Options, bundle};
