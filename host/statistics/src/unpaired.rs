//! Two methods compared from trainings that have no seeds in common.

use serde::Serialize;

use crate::interval::{Interval, UPPER, normal_tail, student_quantile, student_two_sided};
use crate::sample::Sample;

/// The most values of a sample for which all orders are counted.
const MOST_COUNTED: usize = 20;

/// The comparison of two samples a and b.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unpaired {
    /// The mean of a less that of b.
    pub difference: f64,
    /// Its 95 % interval; nothing where one of the samples has one value, or both have no spread.
    pub interval: Option<Interval>,
    /// The p-value of Welch's t-test (1947), under the same condition.
    pub p_value: Option<f64>,
    /// The share of pairs in which a is lower than b, ties counted as halves: Mann and Whitney's
    /// (1947) U over n m.
    pub lower: f64,
    /// The two-sided p-value of Mann and Whitney's test (1947) that either of two values is as likely
    /// the lower: twice the probability of a U as far from n m / 2 to one side, at most 1.
    pub rank_p_value: f64,
    /// Whether that probability is the share of all orders of the values, which is counted if none of
    /// them are equal and neither sample has more than 20. Otherwise it is that of a normal
    /// distribution with the variance that equal values leave, nearer to the middle by ½.
    pub rank_is_exact: bool,
}

impl Unpaired {
    /// The comparison of two samples.
    pub fn of(a: &Sample, b: &Sample) -> Self {
        let difference = a.mean() - b.mean();
        let welch = welch(a, b, difference);
        let lower = share_lower(a, b);
        let (rank_p_value, rank_is_exact) = rank_test(a, b, lower);
        Self {
            difference,
            interval: welch.map(|(interval, _)| interval),
            p_value: welch.map(|(_, p_value)| p_value),
            lower,
            rank_p_value,
            rank_is_exact,
        }
    }
}

/// With u the variance of a over its count n, and v that of b over its count m: t = (mean a −
/// mean b) / √(u + v), with (u + v)² / (u²/(n − 1) + v²/(m − 1)) degrees of freedom (Satterthwaite
/// 1946).
fn welch(first: &Sample, second: &Sample, difference: f64) -> Option<(Interval, f64)> {
    let [n, m] = [first, second].map(|sample| sample.count() as f64);
    let (u, v) = (first.variance()? / n, second.variance()? / m);
    let error = (u + v).sqrt();
    if error <= 0.0 {
        return None;
    }
    let freedom = (u + v).powi(2) / (u * u / (n - 1.0) + v * v / (m - 1.0));
    let half = student_quantile(UPPER, freedom) * error;
    let p_value = student_two_sided(difference / error, freedom);
    Some((Interval::around(difference, half), p_value))
}

fn share_lower(a: &Sample, b: &Sample) -> f64 {
    let lower = a.values().iter().map(|value| {
        let not_above = b.values().partition_point(|other| other < value);
        let above = b.values().partition_point(|other| other <= value);
        (b.count() - above) as f64 + (above - not_above) as f64 / 2.0
    });
    lower.sum::<f64>() / (a.count() as f64 * b.count() as f64)
}

/// The p-value, and whether it is exact. With ties of t values each among N = n + m, the variance of
/// U is n m / 12 (N + 1 − Σ(t³ − t) / (N (N − 1))).
fn rank_test(a: &Sample, b: &Sample, lower: f64) -> (f64, bool) {
    let [n, m] = [a, b].map(|sample| sample.count() as f64);
    let farthest = lower.max(1.0 - lower) * n * m;
    let mut values: Vec<_> = a.values().iter().chain(b.values()).collect();
    values.sort_by(|a, b| a.total_cmp(b));
    // In ascending order, so not below means equal.
    let ties = values.chunk_by(|a, b| a >= b).map(|tie| tie.len() as f64);
    let ties: f64 = ties.map(|tie| tie.powi(3) - tie).sum();
    if ties == 0.0 && a.count().max(b.count()) <= MOST_COUNTED {
        // Whole but for the rounding of the share.
        let tail = counted_tail(a.count(), b.count(), farthest.round() as usize);
        return ((2.0 * tail).min(1.0), true);
    }
    let both = n + m;
    let variance = n * m / 12.0 * (both + 1.0 - ties / (both * (both - 1.0)));
    if variance <= 0.0 {
        // All values are equal.
        return (1.0, false);
    }
    let distance = (farthest - n * m / 2.0 - 0.5) / variance.sqrt();
    ((2.0 * normal_tail(distance)).min(1.0), false)
}

/// The share of the orders of n and m values in which U is at least `least`. The orders with each U
/// are counted by the coefficients of Gauss's binomial, Π (1 − x^(m + i)) / (1 − xⁱ) for i = 1 … n.
fn counted_tail(n: usize, m: usize, least: usize) -> f64 {
    let mut orders = vec![0_i64; n * m + 1];
    if let Some(first) = orders.first_mut() {
        *first = 1;
    }
    for i in 1..=n {
        for at in (m + i..orders.len()).rev() {
            let before = orders.get(at - m - i).copied().unwrap_or_default();
            if let Some(orders) = orders.get_mut(at) {
                *orders -= before;
            }
        }
        for at in i..orders.len() {
            let before = orders.get(at - i).copied().unwrap_or_default();
            if let Some(orders) = orders.get_mut(at) {
                *orders += before;
            }
        }
    }
    let all: i64 = orders.iter().sum();
    let far: i64 = orders.iter().skip(least).sum();
    far as f64 / all as f64
}
