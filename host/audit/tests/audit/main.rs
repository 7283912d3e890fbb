//! What an audit finds, through the crate's public surface: in an intact store nothing, in a
//! damaged one the damage, and what rests on it by name.

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
