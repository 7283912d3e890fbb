//! Two methods compared in pairs of trainings from the same seed.

use serde::Serialize;

use crate::interval::{Interval, UPPER, student_quantile, wilson};
use crate::sample::Sample;
use crate::sign_flip::SignFlip;

/// The probability with which an experiment of the size that is advised finds the difference.
const POWER: f64 = 0.8;
/// More seeds than anybody will train.
const MOST_SEEDS: usize = 10_000;

/// The comparison of paired values a and b.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// How many pairs.
    pub pairs: usize,
    /// The mean of a − b.
    pub difference: f64,
    /// The sample standard deviation of a − b; nothing for one pair.
    pub standard_deviation: Option<f64>,
    /// The 95 % interval of the mean of a − b; nothing for fewer than three pairs.
    pub interval: Option<Interval>,
    /// The sign-flip test of a − b.
    pub test: SignFlip,
    /// The probability that a training of the first method has the lower value.
    pub lower: Probability,
}

/// A probability that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probability {
    /// The share of the trials, ties counted as halves.
    pub estimate: f64,
    /// Its 95 % interval.
    pub interval: Interval,
}

impl Paired {
    /// The comparison of these pairs; nothing if there are none, or a value is not finite.
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let differences: Vec<_> = pairs.iter().map(|(a, b)| a - b).collect();
        let sample = Sample::new(differences.iter().copied())?;
        let score = |difference: &f64| match *difference {
            difference if difference < 0.0 => 1.0,
            difference if difference > 0.0 => 0.0,
            _ => 0.5,
        };
        let successes: f64 = differences.iter().map(score).sum();
        Some(Self {
            pairs: pairs.len(),
            difference: sample.mean(),
            standard_deviation: sample.standard_deviation(),
            interval: sample.mean_interval(),
            test: SignFlip::of(&differences),
            lower: Probability {
                estimate: successes / pairs.len() as f64,
                interval: wilson(successes, pairs.len())?,
            },
        })
    }
}

/// The fewest pairs with which a t-test would find a mean difference of this size in four of five
/// experiments: the smallest n with n ≥ ((t₀.₉₇₅ + t₀.₈) s / d)², both quantiles with n − 1 degrees
/// of freedom. Nothing where there is no difference to find, or more than 10,000 are needed.
pub fn seeds_for_difference(difference: f64, standard_deviation: f64) -> Option<usize> {
    let ratio = standard_deviation / difference.abs();
    if !ratio.is_finite() {
        return None;
    }
    let is_enough = |seeds: usize| {
        let freedom = (seeds - 1) as f64;
        let quantiles = student_quantile(UPPER, freedom) + student_quantile(POWER, freedom);
        seeds as f64 >= (quantiles * ratio).powi(2)
    };
    if !is_enough(MOST_SEEDS) {
        return None;
    }
    // More seeds are never worse, so the boundary can be found by halving.
    let (mut too_few, mut enough) = (1, MOST_SEEDS);
    while enough - too_few > 1 {
        let middle = usize::midpoint(too_few, enough);
        if is_enough(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}
