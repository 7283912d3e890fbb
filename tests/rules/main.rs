//! The learning rules as their plugins compute them, against independent implementations.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop there"
)]

mod activations;
mod algorithms;
mod costs;
mod directions;
mod emulated;
mod images;
mod inverses;
mod later;
mod later_identities;
mod learners;
mod support;
mod target_images;
mod targets;
