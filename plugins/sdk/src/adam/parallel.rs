//! The fused pass on several threads. Every element is updated on its own, so the number of
//! threads and the order in which they work change no bit.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Coefficients, kernel};

/// Elements that a thread takes at a time: few enough that no thread is left with a large rest
/// while another has finished or was held up.
const CHUNK: usize = 1 << 16;

/// Below this many elements, about half a millisecond's work, starting a thread gains nothing.
pub(super) const WORTHWHILE: usize = 1 << 20;

/// Updates `values` and both moments on at most `threads` threads; all slices have the same
/// length.
pub(super) fn update(
    threads: usize,
    coefficients: Coefficients,
    values: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    if threads < 2 || values.len() < WORTHWHILE {
        kernel::update(coefficients, values, gradients, first, second);
        return;
    }
    let parameters = values.chunks_mut(CHUNK).zip(gradients.chunks(CHUNK));
    let moments = first.chunks_mut(CHUNK).zip(second.chunks_mut(CHUNK));
    let chunks = Mutex::new(parameters.zip(moments));
    let next = || chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(((values, gradients), (first, second))) = next() {
            kernel::update(coefficients, values, gradients, first, second);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // A thread that cannot be had leaves its work to the others.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
}
