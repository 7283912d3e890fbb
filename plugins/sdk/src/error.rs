//! What an algorithm's code can fail with, and how that crosses the boundary.

use assay_abi::{ErrorCode, PluginError, TensorError};
use tch::TchError;

use crate::state::StateError;

/// A failure on the plugin's side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// libtorch refused an operation.
    #[error("libtorch failed: {}", first_line(.0))]
    Torch(#[from] TchError),
    /// The host sent a tensor whose type or memory is not what was agreed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A saved state does not fit.
    #[error(transparent)]
    State(#[from] StateError),
    /// Anything already in the form that crosses the boundary.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

impl Error {
    /// An error with a code of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Plugin(PluginError::new(code, message))
    }
}

impl From<Error> for PluginError {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Plugin(error) => return error,
            Error::Torch(_) => ErrorCode::OTHER,
            Error::Tensor(_) => ErrorCode::SHAPE,
            Error::State(_) => ErrorCode::STATE,
        };
        Self::new(code, error.to_string())
    }
}

/// What libtorch says, without the dozens of lines of its own call stack.
fn first_line(error: &TchError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
