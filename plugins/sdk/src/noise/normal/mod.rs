//! Standard normal numbers from a key and a counter, with the same bits on every CPU.
//!
//! A step of training draws a normal number for every hidden activation, so this has to cost
//! little more than writing them: Box & Muller's transform in 32-bit floats, its logarithm, sine
//! and cosine as polynomials, written as loops over lanes that the compiler turns into vector
//! instructions. Only additions, multiplications, divisions and square roots occur, which IEEE
//! 754 rounds alike everywhere; fused multiply-add, which would not, is left out.

use super::philox::{LANES, Words, philox};
#[cfg(target_arch = "x86_64")]
use crate::instructions;

/// One float of each of [`LANES`] counters.
type Floats = [f32; LANES];

/// Normal numbers that [`LANES`] counters give.
const CHUNK: usize = 4 * LANES;

/// The stream that a key and the upper part of the counter choose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) key: u64,
    /// The layer l that the noise is for.
    pub(super) layer: u32,
    /// The number of updates before this one.
    pub(super) step: u64,
}

/// The counters that so many numbers take.
pub(super) fn counters(numbers: usize) -> usize {
    numbers.div_ceil(CHUNK) * LANES
}

/// Fills `out` with `scale` times the first standard normal numbers of `stream`.
///
/// Counter i is (i, layer, step mod 2³², step / 2³²) and gives four words `w_0` to `w_3` by
/// Philox4x32-10, from which two pairs (x, y) follow by [`box_muller`] of (`w_0`, `w_1`) and of
/// (`w_2`, `w_3`). Number 32 c + 8 k + j, k = 0..4, is value k of (`x_0`, `y_0`, `x_1`, `y_1`)
/// of counter 8 c + j.
pub(super) fn fill(stream: Stream, scale: f32, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if instructions::has_avx2() {
        // SAFETY: the CPU has AVX2.
        unsafe { fill_avx2(stream, scale, out) };
        return;
    }
    fill_portable(stream, scale, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(stream: Stream, scale: f32, out: &mut [f32]) {
    fill_portable(stream, scale, out);
}

// Inlined into the function above, so that it is compiled for that function's features; the same
// holds for what it calls.
#[inline(always)]
#[allow(clippy::inline_always)]
fn fill_portable(stream: Stream, scale: f32, out: &mut [f32]) {
    for (index, part) in (0_u32..).zip(out.chunks_mut(CHUNK)) {
        let normals = chunk(stream, index);
        for (values, normals) in part.chunks_mut(LANES).zip(&normals) {
            for (value, normal) in values.iter_mut().zip(normals) {
                *value = scale * normal;
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn chunk(stream: Stream, index: u32) -> [Floats; 4] {
    let first = index.wrapping_mul(LANES as u32);
    let mut counter = [[0; LANES]; 4];
    for (lane, offset) in (0..LANES).zip(0_u32..) {
        counter[0][lane] = first.wrapping_add(offset);
        counter[1][lane] = stream.layer;
        counter[2][lane] = stream.step as u32;
        counter[3][lane] = (stream.step >> 32) as u32;
    }
    let key = [stream.key as u32, (stream.key >> 32) as u32];
    let [w0, w1, w2, w3] = philox(counter, key);
    let ([x0, y0], [x1, y1]) = (box_muller(w0, w1), box_muller(w2, w3));
    [x0, y0, x1, y1]
}

/// Two independent standard normal numbers from two random words.
///
/// The radius is √(−2 ln u) with u = (⌊r / 2⁸⌋ + 1) / 2²⁴, so no number is beyond 5.77. The
/// direction θ is uniform on an eighth of the circle either side of an axis; two more bits choose
/// the axis.
#[inline(always)]
#[allow(clippy::inline_always)]
fn box_muller(radius: Words, direction: Words) -> [Floats; 2] {
    let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let radius = (-2.0 * log_of_part((radius[lane] >> 8) + 1)).sqrt();
        // 22 bits, in the middles of as many intervals of [-π/4, π/4].
        let angle = ((direction[lane] >> 10) as i32 as f32 + 0.5) * (1.0 / 4_194_304.0) - 0.5;
        let (sine, cosine) = sine_cosine(angle * std::f32::consts::FRAC_PI_2);
        let (along, across) = (radius * cosine, radius * sine);
        let along = if direction[lane] & 1 == 0 {
            along
        } else {
            -along
        };
        let vertical = direction[lane] & 2 == 0;
        x[lane] = if vertical { across } else { along };
        y[lane] = if vertical { along } else { across };
    }
    [x, y]
}

/// ln(n / 2²⁴) for n from 1 to 2²⁴, to about 2e-7 of its value.
#[inline(always)]
#[allow(clippy::inline_always)]
fn log_of_part(n: u32) -> f32 {
    // Exact: n has 24 bits, and the division is by a power of two.
    let u = n as i32 as f32 * (1.0 / 16_777_216.0);
    // u = 2^exponent · mantissa with a mantissa from √½ to √2, so that its logarithm has no part
    // to cancel with.
    let bits = u
        .to_bits()
        .wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits());
    let exponent = (bits as i32 >> 23) as f32;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) + std::f32::consts::FRAC_1_SQRT_2.to_bits());
    // ln(mantissa) = 2 artanh s; the next term is below 1e-9 of the sum.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let q = s * s;
    let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0))));
    exponent * std::f32::consts::LN_2 + 2.0 * s * series
}

/// Sine and cosine of |θ| ≤ π/4 by their Taylor series, whose next terms are below 2e-9.
#[inline(always)]
#[allow(clippy::inline_always)]
fn sine_cosine(theta: f32) -> (f32, f32) {
    let q = theta * theta;
    let sine =
        1.0 + q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362_880.0))));
    let cosine = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40_320.0))));
    (theta * sine, cosine)
}

#[cfg(test)]
mod tests;
