//! The count of multiply-adds: every product of weights or a map with a batch adds its own.
//!
//! A learner is called on one thread, and a product is asked for on that thread however many share it.

use std::cell::Cell;

thread_local! {
    static MULTIPLY_ADDS: Cell<u64> = const { Cell::new(0) };
}

/// Adds the multiply-adds of a product: `connections` for each of so many `columns` of the batch.
pub(crate) fn count(connections: usize, columns: usize) {
    let product = (connections as u64).wrapping_mul(columns as u64);
    MULTIPLY_ADDS.set(MULTIPLY_ADDS.get().wrapping_add(product));
}

/// The multiply-adds that this thread has counted since `before`, an earlier count.
pub(crate) fn since(before: u64) -> u64 {
    counted().wrapping_sub(before)
}

/// The count of this thread.
pub(crate) fn counted() -> u64 {
    MULTIPLY_ADDS.get()
}

/// Adds multiply-adds that were counted before, of a step that is done again.
pub(crate) fn add(multiply_adds: u64) {
    MULTIPLY_ADDS.set(MULTIPLY_ADDS.get().wrapping_add(multiply_adds));
}
