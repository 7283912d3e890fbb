//! The parts that the functions of units share.

// Inlined into functions that are compiled for wider vectors.
#![allow(clippy::inline_always)]

/// `e²ʳ` to 2⁻²⁷ for |r| ≤ ln 2 / 4: minimax, by Remez' algorithm, the first three given.
pub(super) const EXPONENTIAL: [f32; 7] = [
    1.0,
    2.0,
    2.0,
    1.333_323_6,
    0.666_662_45,
    0.267_726_63,
    0.089_219_59,
];

/// 1.5 · 2²³: what is added to it is rounded to an integer, in the lowest bits of the sum.
pub(super) const ROUNDING: f32 = 12_582_912.0;

/// Horner's rule, from the highest power.
#[inline(always)]
pub(super) fn polynomial<const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    // By indices: iterators over arrays are not always inlined, and then no vectors are used.
    let mut sum = 0.0;
    for power in (0..N).rev() {
        sum = f32::mul_add(sum, x, coefficients[power]);
    }
    sum
}
