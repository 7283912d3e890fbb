//! What tuning is worth: the error that is reached with the best of k trials.

use serde::Serialize;

use crate::order_band::OrderBand;

/// One trial of a search: a training with hyper-parameters that were drawn independently of the
/// other trials.
///
/// A trial that diverged ranks after all others. It takes part with the value that it stands for,
/// the same for all such, as 90 % for ten classes: the error of a guess. Without one, the expected
/// error of k trials would not exist as soon as all of the k could diverge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The error on the validation set, by which a trial is chosen.
    pub validation: f64,
    /// The error on the test set.
    pub test: f64,
}

/// The error to expect from the best of k trials, for each k up to the number of trials.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TuningCurve {
    /// The points, for k = 1, 2 …
    pub points: Vec<TuningPoint>,
}

/// The error to expect from the best of k out of B trials. In the formulas, v₁ ≤ v₂ ≤ … are their
/// validation errors, and t₁, t₂ … the test errors of the same trials, in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TuningPoint {
    /// The number k of trials.
    pub tried: usize,
    /// The expected validation error of the best, without bias (Tang et al. 2020):
    /// Σ vᵢ C(B − i, k − 1) / C(B, k).
    pub validation: f64,
    /// The same by the plug-in estimator of Dodge et al. (2019), which is too high
    /// on average:
    /// Σ vᵢ (((B − i + 1)/B)ᵏ − ((B − i)/B)ᵏ).
    pub plug_in: f64,
    /// The expected test error of the trial with the best validation error (Bajgar et al. 2018):
    /// Σ tᵢ C(B − i, k − 1) / C(B, k). It is what somebody reaches who tries k and reports one.
    pub test: f64,
    /// The median validation error of the best: the quantile of the v at q = 1 − ½^(1/k).
    pub median: f64,
    /// The lower end of the band that holds the medians for all k at once with 95 % confidence
    /// (Lourie et al. 2024); nothing where so many trials could find what none of these did.
    pub low: Option<f64>,
    /// The upper end; nothing where there are too few trials to bound it.
    pub high: Option<f64>,
}

impl TuningCurve {
    /// The curve of these trials; nothing if there are none, or a value is not finite. Of trials
    /// with the same validation error the first ranks before the others, as it does in a search
    /// that takes only what is better.
    ///
    /// The cost grows with the square of the number of trials: 60 take about 10 milliseconds.
    pub fn of(trials: &[Trial]) -> Option<Self> {
        let is_finite = |trial: &Trial| trial.validation.is_finite() && trial.test.is_finite();
        if trials.is_empty() || !trials.iter().all(is_finite) {
            return None;
        }
        let mut trials = trials.to_vec();
        // A stable sort.
        trials.sort_by(|a, b| a.validation.total_cmp(&b.validation));
        let band = OrderBand::of(trials.len());
        let points = (1..=trials.len()).map(|tried| TuningPoint::of(tried, &trials, &band));
        Some(Self {
            points: points.collect(),
        })
    }
}

impl TuningPoint {
    /// The point of trials in the order of their validation errors.
    fn of(tried: usize, trials: &[Trial], band: &OrderBand) -> Self {
        let (mut validation, mut test) = (0.0, 0.0);
        for (trial, weight) in trials.iter().zip(best_of(tried, trials.len())) {
            validation += weight * trial.validation;
            test += weight * trial.test;
        }
        let count = trials.len() as f64;
        let k = tried as f64;
        let plug_in = trials.iter().enumerate().map(|(rank, trial)| {
            let above = count - rank as f64;
            trial.validation * ((above / count).powf(k) - ((above - 1.0) / count).powf(k))
        });
        // The best of k is at most x with the probability 1 − (1 − F(x))ᵏ: half, where F(x) is this.
        let q = 1.0 - 0.5_f64.powf(1.0 / k);
        let value = |rank: usize| trials.get(rank).map(|trial| trial.validation);
        // From the i-th value on the distribution function is at least the i-th lower end, and below
        // the i-th value it is at most the i-th upper end.
        let low = band.high.partition_point(|end| *end < q);
        let high = band.low.partition_point(|end| *end < q);
        Self {
            tried,
            validation,
            plug_in: plug_in.sum(),
            test,
            median: value((q * count).ceil() as usize - 1).unwrap_or(f64::NAN),
            low: low.checked_sub(1).and_then(value),
            high: value(high),
        }
    }
}

/// The probability, for each rank, that the best of `tried` of `count` trials has it:
/// C(count − rank, tried − 1) / C(count, tried), each from the one before.
fn best_of(tried: usize, count: usize) -> impl Iterator<Item = f64> {
    let mut weight = tried as f64 / count as f64;
    (1..=count - tried + 1).map(move |rank| {
        let now = weight;
        weight *= (count - rank + 1 - tried) as f64 / (count - rank).max(1) as f64;
        now
    })
}
