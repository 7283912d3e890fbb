//! One pass of Adam over slices, with the same bits on every x86-64 and aarch64 CPU. Every element is
//! updated on its own, so the number of threads and the order in which they work change no bit.
//!
//! The AVX2 version is the scalar loop compiled for wider registers. Where the scalar loop rounds twice, so does it; its
//! fused multiply-adds are those of a quotient that comes out the same as from a division.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Coefficients, Finite};
use crate::instructions::{self, LINE};
use crate::workers;

/// Elements that a thread takes at a time.
pub(super) const CHUNK: usize = 1 << 16;

/// Elements ahead that are fetched already, of parameters so large that they come from main memory: the processor itself
/// follows so many places there less far.
const AHEAD: usize = 512;

/// Elements of a parameter from which on that pays.
const LARGE: usize = 1 << 19;

/// All bits of a float but its sign.
const MAGNITUDE: u32 = 0x7fff_ffff;

/// Updates `values` and both moments; all slices have the same length. Says whether every gradient
/// was finite.
pub(super) fn update(
    coefficients: Coefficients,
    values: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) -> Finite {
    let infinite = AtomicBool::new(false);
    let update_chunk = if values.len() >= LARGE {
        update_chunk::<true>
    } else {
        update_chunk::<false>
    };
    let parameters = values.chunks_mut(CHUNK).zip(gradients.chunks(CHUNK));
    let moments = first.chunks_mut(CHUNK).zip(second.chunks_mut(CHUNK));
    workers::share(
        parameters.zip(moments),
        || (),
        |(), ((values, gradients), (first, second))| {
            let finite = update_chunk(coefficients, values, gradients, first, second);
            if finite == Finite::No {
                infinite.store(true, Ordering::Relaxed);
            }
        },
    );
    if infinite.into_inner() {
        Finite::No
    } else {
        Finite::Yes
    }
}

fn update_chunk<const FETCH: bool>(
    coefficients: Coefficients,
    values: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) -> Finite {
    #[cfg(target_arch = "x86_64")]
    if instructions::has_avx2() {
        // SAFETY: the CPU has AVX2 and fused multiplication.
        return unsafe { update_avx2::<FETCH>(coefficients, values, gradients, first, second) };
    }
    update_portable::<FETCH, false>(coefficients, values, gradients, first, second)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn update_avx2<const FETCH: bool>(
    coefficients: Coefficients,
    values: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) -> Finite {
    update_portable::<FETCH, true>(coefficients, values, gradients, first, second)
}

// Inlined into the function above, so that it is compiled for that function's features.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(super) fn update_portable<const FETCH: bool, const FUSED: bool>(
    coefficients: Coefficients,
    values: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) -> Finite {
    let c = coefficients;
    let correction = Divisor::new(c.root_correction);
    let mut largest = 0;
    let line = if FETCH { LINE } else { CHUNK };
    let parameters = values.chunks_mut(line).zip(gradients.chunks(line));
    let moments = first.chunks_mut(line).zip(second.chunks_mut(line));
    for ((values, gradients), (first, second)) in parameters.zip(moments) {
        if FETCH {
            for line in [&*values, gradients, &*first, &*second] {
                instructions::fetch(line.as_ptr().wrapping_add(AHEAD));
            }
        }
        let moments = first.iter_mut().zip(second);
        for ((value, &gradient), (m, v)) in values.iter_mut().zip(gradients).zip(moments) {
            *m = flushed(*m + c.first * (gradient - *m));
            *v = flushed(c.keep_second * *v + c.second * (gradient * gradient));
            let denominator = correction.quotient::<FUSED>(v.sqrt()) + c.epsilon;
            *value -= c.step_size * (*m / denominator);
            // In the order of their bits, infinity is above every magnitude and not-a-number above it.
            largest = largest.max(gradient.to_bits() & MAGNITUDE);
        }
    }
    if largest < f32::INFINITY.to_bits() {
        Finite::Yes
    } else {
        Finite::No
    }
}

/// A number that many are divided by.
#[derive(Clone, Copy)]
pub(super) struct Divisor {
    divisor: f32,
    reciprocal: f32,
}

impl Divisor {
    pub(super) fn new(divisor: f32) -> Self {
        Self {
            divisor,
            reciprocal: 1.0 / divisor,
        }
    }

    /// `root / divisor`, rounded once, for the root of a number that is not subnormal, and a divisor from 1e-8 to 1.
    ///
    /// `FUSED` corrects an estimate with fused multiply-adds, of which a processor does many in the time of a division.
    /// The last correction rounds correctly, since the estimate before it is off by less than the distance to its
    /// neighbours (Markstein 1990, Computation of elementary functions on the IBM RISC System/6000 processor).
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub(super) fn quotient<const FUSED: bool>(self, root: f32) -> f32 {
        if !FUSED {
            return root / self.divisor;
        }
        let mut quotient = root * self.reciprocal;
        for _ in 0..2 {
            let rest = (-quotient).mul_add(self.divisor, root);
            quotient = rest.mul_add(self.reciprocal, quotient);
        }
        // Infinity less itself is not a number.
        if root < f32::INFINITY { quotient } else { root }
    }
}

/// Zero for a subnormal number. The moments of a weight whose gradient stays zero (that of a
/// pixel rarely lit) decay to subnormals, where rounding keeps them and arithmetic is several
/// times slower.
#[inline(always)]
#[allow(clippy::inline_always)]
fn flushed(value: f32) -> f32 {
    if value.abs() < f32::MIN_POSITIVE {
        0.0
    } else {
        value
    }
}
