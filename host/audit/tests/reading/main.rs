//! The crate through its public surface: stores made on the spot, and what is said of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop there"
)]

mod census;
mod content;
mod index;
mod lineage;
mod npy;
mod subject;
mod support;
