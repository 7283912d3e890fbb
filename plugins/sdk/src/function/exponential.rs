//! The exponential and the logistic function in 32-bit floats, without a branch: the first is within 1
//! unit in the last place wherever it is a normal float, the second within 3 where its value is above 1e-38, and
//! zero below.
//!
//! Only operations occur that are rounded once, on every processor alike.

// Inlined into functions that are compiled for wider vectors.
#![allow(clippy::inline_always)]

use std::f32::consts::LOG2_E;

use super::polynomial::{EXPONENTIAL, ROUNDING, polynomial};
use crate::instructions::Loop;

/// The exponential of this, and of all that is larger, is infinite.
const LARGEST: f32 = 89.0;

/// The exponential of this, and of all that is smaller, is zero.
const SMALLEST: f32 = -104.0;

/// ln 2 in two floats, the first of them with few bits, so that its multiples are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// Every value z by `1 / (1 + e⁻ᶻ)`.
pub(super) struct Logistic<'a>(pub(super) &'a mut [f32]);

impl Loop for Logistic<'_> {
    #[inline(always)]
    fn run(self) {
        for value in self.0 {
            *value = 1.0 / (1.0 + exponential(-*value));
        }
    }
}

/// `eˣ = 2ⁿ eʳ` with |r| ≤ ln 2 / 2.
#[inline(always)]
pub(super) fn exponential(x: f32) -> f32 {
    // Not `clamp`, which would make a number of what is none.
    let y = if x > LARGEST { LARGEST } else { x };
    let y = if y < SMALLEST { SMALLEST } else { y };
    let shifted = y.mul_add(LOG2_E, ROUNDING);
    let n = shifted - ROUNDING;
    let r = n.mul_add(-LN_2[1], n.mul_add(-LN_2[0], y));
    // In two steps, since neither 2¹²⁸ nor what is below 2⁻¹²⁶ has an exponent of its own.
    let exponent = shifted.to_bits().wrapping_sub(ROUNDING.to_bits()) as i32;
    let half = exponent >> 1;
    polynomial(EXPONENTIAL, 0.5 * r)
        * power_of_two(half)
        * power_of_two(exponent.wrapping_sub(half))
}

/// 2ⁿ for n from −126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n as u32) << 23).wrapping_add(1.0_f32.to_bits()))
}
