//! Plugins as files: where they are, what their handshake says, and how one is loaded.

mod describe;
mod file;
mod load;

pub(crate) use describe::describe;
pub use describe::{AlgorithmDescription, MetricDescription, PluginDescription};
pub(crate) use file::read_handshake;
pub use file::{PluginError, SearchPath};
pub use load::{LoadFailure, load};
