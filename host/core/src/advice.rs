//! Errors that end a command, and the advice that they bring.

use std::borrow::Cow;
use std::error::Error;

/// The way in which an error ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing could be done: the request, the machine or the store is at fault.
    Refused,
    /// It was done, and the result is bad: an action failed, or a store, bundle or signature is not
    /// good.
    Failed,
    /// This machine lacks what it needs, and another may have it.
    Elsewhere,
    /// It was stopped, as it was asked to.
    Stopped,
}

/// An error that can end a command. The type itself knows its advice, so whoever prints errors
/// needs no list of those that have some.
pub trait Advice: Error + Send + Sync + 'static {
    /// Advice on the next step; empty where the message says enough.
    fn help(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    /// The way in which the error ends a command.
    fn ending(&self) -> Ending {
        Ending::Refused
    }
}
