//! Seeded permutations: the order of an epoch, and the draws of the validation split and, where
//! it has to be drawn, of the test set.
//!
//! The numbers come from a counter-based stream (the BLAKE3 extendable output), so an order
//! depends on its key alone: not on the platform, the algorithm, a library's version or any
//! order drawn before. Nothing here looks at data.

use blake3::Hasher;

use crate::words::Words;

/// Separates the streams of the three uses; a context never changes once results exist.
const EPOCH_CONTEXT: &str = "assay dataset epoch order, version 1";
const SPLIT_CONTEXT: &str = "assay dataset validation split, version 1";

const TEST_CONTEXT: &str = "assay dataset test split, version 1";

/// Large enough for BLAKE3 to compute several of its 64-byte blocks at once.
const BLOCK: usize = 4096;

/// The order in which epoch number `epoch` visits `count` samples: a uniformly drawn
/// permutation of `0..count`, the same on every machine for the same arguments.
///
/// A new seeded order every epoch (docs/methods.md, Data).
pub fn epoch_order(seed: u64, epoch: u32, count: u32) -> Vec<u32> {
    let mut hasher = Hasher::new_derive_key(EPOCH_CONTEXT);
    hasher.update(&seed.to_le_bytes());
    hasher.update(&epoch.to_le_bytes());
    permutation(Words::new(&hasher), count)
}

/// The permutation of `0..count` whose first entries are the validation split of `seed`.
pub(crate) fn split_order(seed: u64, count: u32) -> Vec<u32> {
    draw_order(SPLIT_CONTEXT, seed, count)
}

/// The permutation of `0..count` whose first entries are the test set of `seed`, where it has to
/// be drawn from the training set.
pub(crate) fn test_order(seed: u64, count: u32) -> Vec<u32> {
    draw_order(TEST_CONTEXT, seed, count)
}

fn draw_order(context: &str, seed: u64, count: u32) -> Vec<u32> {
    let mut hasher = Hasher::new_derive_key(context);
    hasher.update(&seed.to_le_bytes());
    permutation(Words::new(&hasher), count)
}

/// Fisher–Yates, from the last place down.
fn permutation(mut words: Words<BLOCK>, count: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count).collect();
    for place in (1..count).rev() {
        let other = words.below(place + 1);
        order.swap(place as usize, other as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The expected orders come from an independent implementation of the same description.
    #[test]
    fn the_orders_of_given_keys_never_change() {
        assert_eq!(
            epoch_order(0, 0, 12),
            [0, 2, 4, 1, 5, 6, 7, 9, 10, 8, 11, 3]
        );
        assert_eq!(
            epoch_order(42, 3, 12),
            [2, 6, 0, 5, 8, 1, 11, 9, 4, 10, 3, 7]
        );
        assert_eq!(split_order(0, 12), [5, 9, 1, 10, 8, 11, 6, 4, 3, 2, 7, 0]);
    }

    #[test]
    fn no_sample_and_one_sample_have_one_order() {
        assert!(epoch_order(1, 1, 0).is_empty());
        assert_eq!(epoch_order(1, 1, 1), [0]);
    }

    #[test]
    fn every_sample_comes_first_equally_often() {
        const COUNT: u32 = 10;
        const EPOCHS: u32 = 20_000;
        let mut first = [0_u32; COUNT as usize];
        let mut last = [0_u32; COUNT as usize];
        for epoch in 0..EPOCHS {
            let order = epoch_order(7, epoch, COUNT);
            first[order[0] as usize] += 1;
            last[order[COUNT as usize - 1] as usize] += 1;
        }
        for counts in [first, last] {
            let expected = f64::from(EPOCHS / COUNT);
            let chi_squared: f64 = counts
                .iter()
                .map(|&count| (f64::from(count) - expected).powi(2) / expected)
                .sum();
            // The 99.9 % quantile with 9 degrees of freedom.
            assert!(chi_squared < 27.88, "{counts:?}: {chi_squared}");
        }
    }

    #[test]
    fn every_order_of_four_samples_appears_equally_often() {
        let mut counts = std::collections::HashMap::<Vec<u32>, u32>::new();
        for seed in 0..24_000 {
            *counts.entry(epoch_order(seed, 0, 4)).or_default() += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi_squared: f64 = counts
            .values()
            .map(|&count| (f64::from(count) - 1000.0).powi(2) / 1000.0)
            .sum();
        // The 99.9 % quantile with 23 degrees of freedom.
        assert!(chi_squared < 49.73, "{chi_squared}");
    }

    proptest! {
        #[test]
        fn an_order_is_a_permutation(seed: u64, epoch: u32, count in 0_u32..5000) {
            let mut order = epoch_order(seed, epoch, count);
            order.sort_unstable();
            prop_assert_eq!(order, (0..count).collect::<Vec<_>>());
        }

        #[test]
        fn seeds_epochs_and_uses_draw_different_orders(seed: u64, epoch: u32) {
            let order = epoch_order(seed, epoch, 100);
            prop_assert_ne!(&order, &epoch_order(seed, epoch ^ 1, 100));
            prop_assert_ne!(&order, &epoch_order(seed ^ 1, epoch, 100));
            prop_assert_ne!(&order, &split_order(seed, 100));
            prop_assert_ne!(&order, &test_order(seed, 100));
            prop_assert_ne!(&split_order(seed, 100), &test_order(seed, 100));
        }
    }
}
