//! Families of comparisons: with many of them, some look significant by chance.

use crate::SIGNIFICANCE;
use crate::sign_flip::smallest_p_value;

/// The p-values adjusted by Holm (1979), in the order given: the i-th smallest of M becomes the
/// largest of (M − j + 1) p₍ⱼ₎ for j ≤ i, at most 1. If those at most α are called significant, the
/// probability that any is so by chance is at most α.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<_> = p_values.iter().copied().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, (at, p_value)) in order.into_iter().enumerate() {
        let factor = (p_values.len() - rank) as f64;
        largest = largest.max(factor * p_value).min(1.0);
        if let Some(place) = adjusted.get_mut(at) {
            *place = largest;
        }
    }
    adjusted
}

/// The fewest common seeds with which the sign-flip test can find anything significant among so
/// many comparisons: the smallest n with M · 2 / 2ⁿ ≤ 0.05.
pub fn seeds_for_family(comparisons: usize) -> usize {
    let mut seeds = 1;
    while comparisons as f64 * smallest_p_value(seeds) > SIGNIFICANCE {
        seeds += 1;
    }
    seeds
}
