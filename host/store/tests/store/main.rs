//! The store through its public surface: what is kept, what is refused, what survives.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails has to end its test, and clippy knows only test functions"
)]

mod auditing;
mod collecting;
mod documents;
mod known;
mod objects;
mod opening;
mod processes;
mod results;
mod sources;
mod support;
