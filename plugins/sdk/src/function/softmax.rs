//! The softmax over the units of each sample, and the logarithm of its denominator.
//! ```text
//! h_i = e^(a_i − m) / s,   s = Σ e^(a_i − m),   m = max a_i,   log Σ e^(a_i) = m + ln s
//! ```
//! The exponentials are floats of 32 bits; their sum, in the order of the units, and the quotient are made
//! in 64.

// Inlined into functions that are compiled for wider vectors.
#![allow(clippy::inline_always)]

use tch::Tensor;

use super::exponential::exponential;
use crate::card::{self, Argument, Kernel, Parts};
use crate::error::Error;
use crate::instructions::{self, Loop};
use crate::tensor_slices::slices;

/// The denominators of the softmax of each sample.
pub(crate) enum Denominators {
    /// `log Σ e^a`.
    Known(Vec<f64>),
    /// m of every sample, then s of every sample, then as many parts that are still to be written
    /// ([`cross_entropies`](crate::value::cross_entropies)).
    OnCard(Parts),
    /// Libtorch gave none.
    Unknown,
}

/// `out = softmax(a)`, both (n, B), and `log Σ e^a` over the units of each sample; where libtorch
/// computes, only the first.
pub(crate) fn softmax(a: &Tensor, out: &Tensor) -> Result<Denominators, Error> {
    let samples = a.size2()?.1 as usize;
    if let Some((card, on_card, [values])) = card::operands(out, [a])?
        && on_card.len() == values.len()
    {
        let parts = card.parts(3 * samples)?;
        let arguments = [
            on_card.into(),
            values.into(),
            parts.element(0),
            parts.row(),
            Argument::count(values.len() / samples.max(1)),
            Argument::count(samples),
        ];
        // SAFETY: both matrices have so many rows and columns, and there are three parts for each column.
        unsafe { card.each(Kernel::Softmax, samples, arguments) }?;
        return Ok(Denominators::OnCard(parts));
    }
    // SAFETY: only this function uses the slices.
    let Some((out, [a])) = unsafe { slices(out, [a]) }? else {
        a.f_internal_softmax_out(out, 0, false).map(drop)?;
        return Ok(Denominators::Unknown);
    };
    let mut largest = vec![f32::NEG_INFINITY; samples];
    let mut sums = vec![0.0; samples];
    instructions::run(Softmax {
        a,
        out,
        largest: &mut largest,
        sums: &mut sums,
    });
    let both = largest.iter().zip(&sums);
    Ok(Denominators::Known(
        both.map(|(&m, &s)| f64::from(m) + libm::log(s)).collect(),
    ))
}

struct Softmax<'a> {
    a: &'a [f32],
    out: &'a mut [f32],
    /// One for each sample, −∞.
    largest: &'a mut [f32],
    /// One for each sample, zero.
    sums: &'a mut [f64],
}

impl Loop for Softmax<'_> {
    #[inline(always)]
    fn run(self) {
        let samples = self.sums.len();
        for a in self.a.chunks_exact(samples) {
            for (largest, &a) in self.largest.iter_mut().zip(a) {
                *largest = if a > *largest { a } else { *largest };
            }
        }
        let rows = self.a.chunks_exact(samples);
        for (a, out) in rows.zip(self.out.chunks_exact_mut(samples)) {
            let of_sample = self.largest.iter().zip(self.sums.iter_mut());
            for ((&a, out), (&largest, sum)) in a.iter().zip(out).zip(of_sample) {
                *out = exponential(a - largest);
                *sum += f64::from(*out);
            }
        }
        for out in self.out.chunks_exact_mut(samples) {
            for (out, &sum) in out.iter_mut().zip(self.sums.iter()) {
                *out = (f64::from(*out) / sum) as f32;
            }
        }
    }
}
