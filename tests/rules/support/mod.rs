//! Shared by the tests of learners: real plugins, a host's side of the boundary, saved states
//! and an independent implementation of the paper's equations.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the benchmark shares this too, and neither uses all of it"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod host;
pub mod images;
pub mod later;
pub mod plugin;
pub mod problem;
pub mod reference;
pub mod running;
pub mod state;
pub mod targets;
pub mod unrolled;
pub mod variant;

/// The largest difference of two tensors, relative to the largest value expected.
pub fn relative_difference(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected
        .iter()
        .fold(f64::MIN_POSITIVE, |scale, value| scale.max(value.abs()));
    let largest = found
        .iter()
        .zip(expected)
        .map(|(&found, expected)| (f64::from(found) - expected).abs())
        .fold(0.0, f64::max);
    largest / scale
}
