//! The values of one method, one for each seed.

use crate::interval::{Interval, UPPER, student_quantile};

/// The fewest values that an interval is given for: with two, the interval says more about the
/// luck of the draw than about the mean.
pub(crate) const FEWEST_FOR_INTERVAL: usize = 3;

/// Finite numbers, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// In ascending order, so that sums do not depend on the order given.
    values: Vec<f64>,
}

impl Sample {
    /// The sample of these values; nothing if there are none, or one is not finite.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let is_sound = !values.is_empty() && values.iter().all(|value| value.is_finite());
        is_sound.then_some(Self { values })
    }

    /// The values, ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.count() as f64
    }

    /// The sample variance, Σ(x − mean)² / (n − 1); nothing for one value.
    pub fn variance(&self) -> Option<f64> {
        let mean = self.mean();
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        (self.count() > 1).then(|| squares / (self.count() - 1) as f64)
    }

    /// The sample standard deviation, the root of the variance.
    pub fn standard_deviation(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// The 95 % interval of Student (1908) for the mean, mean ± t s / √n with n − 1 degrees of
    /// freedom; nothing for fewer than three values.
    pub fn mean_interval(&self) -> Option<Interval> {
        let s = self.standard_deviation()?;
        let n = self.count() as f64;
        let t = student_quantile(UPPER, n - 1.0);
        (self.count() >= FEWEST_FOR_INTERVAL)
            .then(|| Interval::around(self.mean(), t * s / n.sqrt()))
    }

    /// The 95 % interval for the value of one more training, mean ± t s √(1 + 1/n) with n − 1 degrees
    /// of freedom: a single number that somebody else reports is as expected inside, and not
    /// outside. Nothing for fewer than three values.
    pub fn prediction_interval(&self) -> Option<Interval> {
        let s = self.standard_deviation()?;
        let n = self.count() as f64;
        let t = student_quantile(UPPER, n - 1.0);
        (self.count() >= FEWEST_FOR_INTERVAL)
            .then(|| Interval::around(self.mean(), t * s * (1.0 + 1.0 / n).sqrt()))
    }
}
