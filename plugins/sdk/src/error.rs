//! Errors of an algorithm's code, and how they cross the boundary.

use assay_abi::{ErrorCode, PluginError, TensorError};
use tch::TchError;

use crate::state::StateError;

/// A failure on the plugin's side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// libtorch refused an operation.
    #[error("libtorch failed: {}", sentence(.0))]
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

/// A learner or an algorithm, whichever it is, or the error that kept it from being made.
pub(crate) type Made<T> = Result<Box<T>, Error>;

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

/// First words of the call stack in an error of libtorch.
const STACK: [&str; 2] = ["Exception raised from ", "frame #0"];

/// The message of libtorch's error, without the dozens of lines of its own call stack.
fn sentence(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    let first = text.trim_start().lines().next().unwrap_or_default();
    without_stack(first).unwrap_or(first).to_owned()
}

/// The message of a panic; one that libtorch's bindings raised for an error of libtorch's, by its
/// sentence alone.
pub(crate) fn panic_text(message: &str) -> String {
    // An error is shown as it would be written in a program, line breaks as `\n`.
    let Some(text) = without_stack(message) else {
        return message.to_owned();
    };
    let said = text.split_once("Torch(\"").map_or(text, |(_, said)| said);
    let mut lines = said.split("\\n").map(str::trim);
    let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
    format!("libtorch failed: {}", first.replace("\\\"", "\""))
}

/// `text` up to the description of a call stack; `None` where it has none.
fn without_stack(text: &str) -> Option<&str> {
    let end = STACK.iter().filter_map(|begin| text.find(begin)).min()?;
    Some(text[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "The size of tensor a (3) must match the size of tensor b (4)";

    #[test]
    fn libtorch_is_quoted_with_one_sentence() {
        let stack = "Exception raised from infer_size_impl at ../aten/src/ATen/ExpandUtils.cpp:31 \
                     (most recent call first):\nframe #0: c10::Error::Error + 0x9d\nframe #1: x";
        for text in [
            format!("{SAID}\n{stack}"),
            format!("{SAID} {stack}"),
            format!("\n{SAID}\nSecond line.\n{stack}"),
            SAID.to_owned(),
        ] {
            let error = Error::from(TchError::Torch(text.clone()));
            assert_eq!(error.to_string(), format!("libtorch failed: {SAID}"));
            if text.contains("frame") {
                let error = TchError::Torch(text);
                let message = format!("called `Result::unwrap()` on an `Err` value: {error:?}");
                assert_eq!(panic_text(&message), format!("libtorch failed: {SAID}"));
            }
        }
    }

    #[test]
    fn other_panics_keep_their_words() {
        let message = "assertion `left == right` failed\n  left: 1\n right: 2";
        assert_eq!(panic_text(message), message);
    }
}
