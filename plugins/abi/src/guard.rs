//! Keeps panics on the side they began: `abi_stable` ends the process when one reaches it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use abi_stable::std_types::RResult;

use crate::error::{ErrorCode, Fallible, PluginError};
use crate::panics;

/// Runs `body`, turning a panic into an error that names `what`, and the line that it came from.
///
/// Whatever `body` borrows may be half-changed after a panic; callers refuse to use it again.
pub(crate) fn guard<T>(what: &str, body: impl FnOnce() -> Result<T, PluginError>) -> Fallible<T> {
    panics::observe();
    panics::take();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => RResult::ROk(value),
        Ok(Err(error)) => RResult::RErr(error),
        Err(payload) => {
            let place = panics::take().map(|place| format!(" at {place}"));
            let message = format!(
                "{what} panicked{}: {}",
                place.unwrap_or_default(),
                panic_message(payload.as_ref())
            );
            discard(payload);
            RResult::RErr(PluginError::new(ErrorCode::PANIC, message))
        }
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Drops what a panic carried, and where that panics in its turn what that carries.
fn discard(mut payload: Box<dyn Any + Send>) {
    while let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        payload = another;
    }
}
