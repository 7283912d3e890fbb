//! Findings of an audit, through the crate's public surface: none in an intact store; in a damaged
//! one the damage, and what rests on it by name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop there"
)]

mod change;
mod damage;
mod fixing;
mod naming;
mod support;
