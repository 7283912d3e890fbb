//! The fused pass on several threads. Every element is updated on its own, so the number of
//! threads and the order in which they work change no bit.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Coefficients, Finite, kernel};
use crate::workers;

/// Elements that a thread takes at a time.
pub(super) const CHUNK: usize = 1 << 16;

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
    let parameters = values.chunks_mut(CHUNK).zip(gradients.chunks(CHUNK));
    let moments = first.chunks_mut(CHUNK).zip(second.chunks_mut(CHUNK));
    workers::share(
        parameters.zip(moments),
        || (),
        |(), ((values, gradients), (first, second))| {
            let finite = kernel::update(coefficients, values, gradients, first, second);
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
