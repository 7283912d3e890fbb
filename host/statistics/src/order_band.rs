//! The band that holds a whole distribution function with 95 % confidence.

use serde::Serialize;
use statrs::function::beta::checked_beta_reg;
use statrs::function::gamma::ln_gamma;

use crate::CONFIDENCE;

/// More steps than any of the root searches here takes.
const MOST_STEPS: usize = 200;

/// The intervals that hold, all at once with a probability of 95 %, the n order statistics of n
/// independent uniform numbers, and so the values F(x₍₁₎) … F(x₍ₙ₎) of a continuous distribution
/// function F at a sample from it. At a value that the distribution can repeat, the band around F
/// that they make is too wide rather than too narrow.
///
/// After Learned-Miller and `DeStefano` (2008), the i-th interval goes from the α/2 to the 1 − α/2 quantile
/// of beta(i, n + 1 − i), with one α for all. Here α is the one for which [`OrderBand::coverage`]
/// is 95 %, which is computed and not simulated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderBand {
    /// The lower ends, ascending.
    pub low: Vec<f64>,
    /// The upper ends, ascending.
    pub high: Vec<f64>,
}

impl OrderBand {
    /// The band for so many values; it is empty for none.
    pub fn of(count: usize) -> Self {
        if count == 0 {
            return Self {
                low: Vec::new(),
                high: Vec::new(),
            };
        }
        // One interval alone would need the one, and independent ones at most the other (Bonferroni).
        let widest = (1.0 - CONFIDENCE) / count as f64;
        let narrowest = 1.0 - CONFIDENCE;
        let excess = |alpha: f64| Self::with_tails(count, alpha / 2.0).coverage() - CONFIDENCE;
        Self::with_tails(count, root(excess, widest, narrowest) / 2.0)
    }

    /// The band whose intervals leave out `tail` of the distribution on each side.
    fn with_tails(count: usize, tail: f64) -> Self {
        let low: Vec<_> = (1..=count)
            .map(|rank| order_quantile(count, rank, tail))
            .collect();
        // The i-th number from above is distributed as 1 less the i-th from below.
        let high = low.iter().rev().map(|low| 1.0 - low).collect();
        Self { low, high }
    }

    /// The probability that the order statistics of independent uniform numbers are all in their
    /// intervals.
    ///
    /// The recursion of Noé (1972) over the ascending ends of all intervals, in which the count of
    /// numbers below an end is carried: it must be at least i at the upper end of the i-th interval
    /// and below i at the lower end. The counts between two ends are taken from a Poisson process,
    /// whose probability that n numbers fall into [0, 1] is divided out at last (Khmaladze and
    /// Shinjikashvili 2001). No term is negative, so no digits are lost. The cost is about the
    /// number of values times the square of the band's width in counts.
    pub fn coverage(&self) -> f64 {
        let count = self.low.len();
        if count == 0 || self.high.len() != count {
            return 1.0;
        }
        let rate = count as f64;
        let mut ends: Vec<_> = self.low.iter().map(|end| (*end, true)).collect();
        ends.extend(self.high.iter().map(|end| (*end, false)));
        ends.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        ends.push((1.0, true));

        // The probability of each count from the number of upper ends passed to that of lower ends
        // passed, the others being out of the band.
        let mut counts = vec![1.0];
        let (mut lows, mut highs, mut at) = (0_usize, 0_usize, 0.0);
        for (end, is_low) in ends {
            let end = end.clamp(0.0, 1.0);
            let kept = (lows + 1).saturating_sub(highs);
            counts = convolved(&counts, &poisson(rate * (end - at), kept), kept);
            at = end;
            if is_low {
                lows += 1;
            } else {
                highs += 1;
                counts.drain(..counts.len().min(1));
            }
            if counts.is_empty() {
                return 0.0;
            }
        }
        let all = poisson(rate, count + 1);
        match (counts.first(), all.last()) {
            (Some(kept), Some(all)) => (kept / all).min(1.0),
            _ => 0.0,
        }
    }
}

/// The probabilities of the counts 0 … of a Poisson distribution, so many of them.
fn poisson(mean: f64, counts: usize) -> Vec<f64> {
    if mean <= 0.0 {
        let mut none = vec![0.0; counts];
        if let Some(first) = none.first_mut() {
            *first = 1.0;
        }
        return none;
    }
    let logarithm = mean.ln();
    (0..counts)
        .map(|count| (count as f64 * logarithm - mean - ln_gamma(count as f64 + 1.0)).exp())
        .collect()
}

/// The first `length` places of the convolution.
fn convolved(one: &[f64], other: &[f64], length: usize) -> Vec<f64> {
    let mut sums = vec![0.0; length];
    for (shift, weight) in one.iter().enumerate() {
        for (sum, value) in sums.iter_mut().skip(shift).zip(other) {
            *sum += weight * value;
        }
    }
    sums
}

/// The quantile of beta(rank, count + 1 − rank), for a probability below the mode's, by Newton's
/// steps on the logarithm of the distribution function, which is concave.
fn order_quantile(count: usize, rank: usize, p: f64) -> f64 {
    let (a, b) = (rank as f64, (count + 1 - rank) as f64);
    let scale = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    let mut x = a / (a + b);
    for _ in 0..MOST_STEPS {
        let below = checked_beta_reg(a, b, x).unwrap_or(f64::NAN);
        let density = (scale + (a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p()).exp();
        let next = x - below / density * (below / p).ln();
        let next = if next > 0.0 && next < 1.0 {
            next
        } else {
            x / 2.0
        };
        let is_found = (next - x).abs() <= 4.0 * f64::EPSILON * x;
        x = next;
        if is_found {
            break;
        }
    }
    x
}

/// The root of a falling function between two points on either side of it, by the rule of false
/// position with the weights of Anderson and Björck (1973).
fn root(function: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let (mut a, mut b) = ((low, function(low)), (high, function(high)));
    // One value alone needs no search: both points are the root.
    if a.1 <= 0.0 {
        return a.0;
    }
    if b.1 >= 0.0 {
        return b.0;
    }
    for _ in 0..MOST_STEPS {
        let x = b.0 - b.1 * (b.0 - a.0) / (b.1 - a.1);
        let y = function(x);
        if (y > 0.0) == (b.1 > 0.0) {
            let weight = 1.0 - y / b.1;
            a.1 *= if weight > 0.0 { weight } else { 0.5 };
        } else {
            a = b;
        }
        let is_found = y.abs() <= 1e-15 || (x - b.0).abs() <= 1e-15 * x;
        b = (x, y);
        if is_found {
            break;
        }
    }
    b.0
}
