//! The hyperbolic tangent in 32-bit floats, to 1.5 units in the last place, without a branch: 1.412
//! is the largest error of all floats, near 0.602.
//!
//! Only operations occur that are rounded once, on every processor alike. It is monotone, odd bit
//! for bit, and 1 exactly from where that is the nearest float.

// Inlined into functions that are compiled for wider vectors.
#![allow(clippy::inline_always)]

use std::f32::consts::{LN_2, LOG2_E};

use super::polynomial::{EXPONENTIAL, ROUNDING, polynomial};
use crate::instructions::Loop;

/// Up to here tanh is its series, from here on `1 − 2/(e²ʸ + 1)`: the subtraction cancels too
/// much of a smaller value.
const NEAR: f32 = 0.6;

/// From 9.02 on the nearest float is 1. Far beyond, powers of two would overflow.
const FAR: f32 = 10.0;

/// `(tanh √z / √z − 1) / z`, to 2⁻²⁷ of tanh for z ≤ 0.6²: minimax, by Remez' algorithm.
const SERIES: [f32; 5] = [
    -0.333_333,
    0.133_319_59,
    -0.053_786_684,
    0.020_805_385,
    -0.005_905_868_5,
];

/// Every value by its tanh.
pub(super) struct Tanh<'a>(pub(super) &'a mut [f32]);

impl Loop for Tanh<'_> {
    #[inline(always)]
    fn run(self) {
        for value in self.0 {
            *value = tanh(*value);
        }
    }
}

/// `delta` by `delta · (1 − h²)`; as many values in both.
pub(super) struct Derivative<'a> {
    pub(super) delta: &'a mut [f32],
    pub(super) h: &'a [f32],
}

impl Loop for Derivative<'_> {
    #[inline(always)]
    fn run(self) {
        for (delta, h) in self.delta.iter_mut().zip(self.h) {
            *delta *= (-h).mul_add(*h, 1.0);
        }
    }
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let magnitude = x.abs();
    // Not `min`, which would make a number of what is none.
    let y = if magnitude > FAR { FAR } else { magnitude };
    let value = if y < NEAR { near(y) } else { far(y) };
    value.copysign(x)
}

/// y + y³ · series, for y < [`NEAR`].
#[inline(always)]
fn near(y: f32) -> f32 {
    let z = y * y;
    (z * polynomial(SERIES, z)).mul_add(y, y)
}

/// `1 − 2/(e²ʸ + 1)`, with `e²ʸ = 2ⁿ e²ʳ` and |r| ≤ ln 2 / 4.
#[inline(always)]
fn far(y: f32) -> f32 {
    let shifted = y.mul_add(2.0 * LOG2_E, ROUNDING);
    let n = shifted - ROUNDING;
    let r = n.mul_add(-0.5 * LN_2, y);
    // n becomes the exponent of a float; the shift drops all other bits of `shifted`.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    1.0 - 2.0 / power.mul_add(polynomial(EXPONENTIAL, r), 1.0)
}
