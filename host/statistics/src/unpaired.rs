//! Two methods compared from trainings that have no seeds in common.

use serde::Serialize;

use crate::interval::{Interval, UPPER, student_quantile, student_two_sided};
use crate::sample::Sample;

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
}

impl Unpaired {
    /// The comparison of two samples.
    pub fn of(a: &Sample, b: &Sample) -> Self {
        let difference = a.mean() - b.mean();
        let welch = welch(a, b, difference);
        Self {
            difference,
            interval: welch.map(|(interval, _)| interval),
            p_value: welch.map(|(_, p_value)| p_value),
            lower: share_lower(a, b),
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
