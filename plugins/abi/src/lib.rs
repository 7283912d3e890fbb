//! The binary interface between the host of Assay and a plugin.
//!
//! The host owns the loop (data order, evaluation, checkpoints, cancellation); the plugin owns
//! the update. This crate owns the C-compatible types that both sides see, the safe wrappers
//! around them, and every `unsafe` block that the boundary needs. It knows neither libtorch nor
//! networks nor the store: what crosses is numbers, text and memory.
//!
//! A plugin exports two symbols: [`HANDSHAKE_SYMBOL`], which the host reads from the file
//! *before* loading it, and [`ROOT_SYMBOL`], an `abi_stable` root module ([`PluginRef`]).
//! Both, and every type that crosses, are frozen for [`ABI_MAJOR`] 1; `docs/abi.md` states the
//! promise.

mod batch;
mod error;
mod extension;
mod guard;
mod handshake;
mod learner;
mod metric;
mod panics;
mod plugin;
mod tensor;

pub use batch::{Batch, BatchSource, Batches, MOST_PASSES};
pub use error::{ErrorCode, Fallible, PluginError};
pub use extension::{
    AlgorithmMinimum, BatchPlaces, Cost, Crop, EpochOrder, ExtensionError, PIXEL_VALUES,
    PlaceSource, Places, StoredSamples, StoredSplit,
};
pub use handshake::{
    ABI_MAJOR, ABI_MINOR, HANDSHAKE_SECTION, HANDSHAKE_SYMBOL, Handshake, HandshakeMismatch,
    PanicStrategy,
};
pub use learner::{CreateRequest, Learner, LearnerHandle, LearnerTable};
pub use metric::{MetricSink, Metrics};
pub use plugin::{
    AlgorithmInfo, Identity, LoadError, LoadedPlugin, MetricInfo, Plugin, PluginDefinition,
    PluginRef, ROOT_SYMBOL, RootHeader, root_header,
};
pub use tensor::{DType, TensorError, TensorView};
