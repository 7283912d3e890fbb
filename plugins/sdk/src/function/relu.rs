//! The positive part of 32-bit floats. A value that is no number stays one, so that a training that
//! diverges is noticed.

// Inlined into functions that are compiled for wider vectors.
#![allow(clippy::inline_always)]

use crate::instructions::Loop;

/// Every value by its positive part.
pub(super) struct Relu<'a>(pub(super) &'a mut [f32]);

impl Loop for Relu<'_> {
    #[inline(always)]
    fn run(self) {
        for value in self.0 {
            *value = if *value <= 0.0 { 0.0 } else { *value };
        }
    }
}

/// `delta` by itself where h is above zero, and by zero elsewhere; as many values in both.
pub(super) struct Derivative<'a> {
    pub(super) delta: &'a mut [f32],
    pub(super) h: &'a [f32],
}

impl Loop for Derivative<'_> {
    #[inline(always)]
    fn run(self) {
        for (delta, h) in self.delta.iter_mut().zip(self.h) {
            *delta = if *h <= 0.0 { 0.0 } else { *delta };
        }
    }
}
