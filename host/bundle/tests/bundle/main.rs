//! Bundles through the public surface: what is written comes out again, and nothing else does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop there"
)]

mod damage;
mod fixture;
mod hostile;
mod round_trip;
