//! The description of a network in the paper's notation, with its shapes checked.
//!
//! A [`Network`] exists only once it is valid: every layer fits the one before it, the last one
//! fits a [`Task`], and no size overflows. This crate describes; it holds no weights and computes
//! nothing but sizes, so that the host and the plugins can share it.
//!
//! ```
//! use assay_network::Network;
//!
//! let network = Network::parse([1, 28, 28], &["fc 256", "softmax 10"])?;
//! assert_eq!(network.outputs(), 10);
//! assert_eq!(network.parameters(), 256 * 784 + 256 + 10 * 256 + 10);
//! # Ok::<(), assay_network::NetworkError>(())
//! ```

mod error;
mod layer;
mod network;
mod refusal;
mod shape;
mod task;

pub use error::{LayerError, NetworkError};
pub use layer::{Activation, Layer, UnitFunction, Window};
pub use network::{LayerSummary, MAX_LAYERS, MAX_SIZE, Network};
pub use refusal::{NetworkKind, Refusal};
pub use shape::{ParseShapeError, Shape};
pub use task::Task;
