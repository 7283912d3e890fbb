//! Plugins as files: where they are, what their handshake says, and how one is loaded.

mod describe;
mod file;
mod library;
mod load;
mod reference;
mod search;

pub(crate) use describe::describe;
pub(crate) use describe::properties;
pub use describe::{AlgorithmDescription, MetricDescription, PluginDescription};
pub(crate) use file::read_bytes;
pub use file::{LibraryFile, PluginError, handshake_of, read_library};
pub(crate) use library::{Libraries, Library};
pub(crate) use load::leave;
pub use load::{LoadFailure, load};
pub(crate) use reference::file_name;
pub use reference::{HashPrefix, InvalidHashPrefix, InvalidReference, PluginReference};
pub use search::{Candidate, Origin, SearchFolder, SearchPath};
