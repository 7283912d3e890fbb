//! Intervals, and the quantiles that they are made of.

use serde::Serialize;
use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

use crate::CONFIDENCE;

/// The values from `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    pub(crate) fn around(middle: f64, half: f64) -> Self {
        Self {
            low: middle - half,
            high: middle + half,
        }
    }
}

/// The interval of the middle 95 % of drawn values, interpolated between neighbours (Hyndman and
/// Fan's rule 7); nothing for none.
pub(crate) fn percentile_interval(mut drawn: Vec<f64>) -> Option<Interval> {
    drawn.sort_unstable_by(f64::total_cmp);
    let quantile = |p: f64| {
        let place = p * drawn.len().checked_sub(1)? as f64;
        let below = drawn.get(place.floor() as usize)?;
        let above = drawn.get(place.ceil() as usize)?;
        Some(below + (above - below) * place.fract())
    };
    Some(Interval {
        low: quantile(1.0 - UPPER)?,
        high: quantile(UPPER)?,
    })
}

/// The share of the distribution that lies below the upper end of a two-sided interval.
pub(crate) const UPPER: f64 = f64::midpoint(1.0, CONFIDENCE);
/// The quantile of the standard normal distribution at [`UPPER`]; the library's is good to 11 digits.
const NORMAL_UPPER: f64 = 1.959_963_984_540_054;

/// The 95 % interval of Wilson (1927) for a probability, from the number of successes, in which a
/// tie may count as half of one. With p = successes / n and z the upper quantile of the normal
/// distribution: (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n).
///
/// Nothing for no trials.
pub fn wilson(successes: f64, trials: usize) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let p = successes / n;
    let z = NORMAL_UPPER;
    let scale = 1.0 + z * z / n;
    let middle = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let Interval { low, high } = Interval::around(middle, half);
    // Rounding can leave [0, 1] by a bit.
    Some(Interval {
        low: low.max(0.0),
        high: high.min(1.0),
    })
}

/// The probability that a standard normal number is above `z`: half less the series of Laplace in
/// the middle, and his continued fraction beyond. The library's is good to 10 digits.
pub(crate) fn normal_tail(z: f64) -> f64 {
    let distance = z.abs();
    let density = (-distance * distance / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let tail = if distance < 3.0 {
        let (mut term, mut sum, mut odd) = (distance, 0.0, 1.0);
        while term > f64::EPSILON * sum {
            sum += term;
            odd += 2.0;
            term *= distance * distance / odd;
        }
        0.5 - density * sum
    } else {
        // Fewer steps are needed further out.
        let steps = 20 + (450.0 / (distance * distance)) as u32;
        let steps = (1..=steps).rev().map(f64::from);
        density / steps.fold(distance, |rest, step| distance + step / rest)
    };
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// The quantile of Student's t distribution.
pub(crate) fn student_quantile(p: f64, freedom: f64) -> f64 {
    match student(freedom) {
        Some(student) => refined(&student, p),
        None => f64::NAN,
    }
}

/// The probability that Student's t is at least as far from 0 as `t`.
pub(crate) fn student_two_sided(t: f64, freedom: f64) -> f64 {
    student(freedom).map_or(f64::NAN, |student| 2.0 * student.cdf(-t.abs()))
}

fn student(freedom: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, freedom).ok()
}

/// The quantile after two steps of Newton: the library's is good to about 10 digits.
fn refined(student: &StudentsT, p: f64) -> f64 {
    let step = |x: f64| {
        // Of the smaller tail, which loses no digits.
        let excess = if p > 0.5 {
            (1.0 - p) - student.sf(x)
        } else {
            student.cdf(x) - p
        };
        x - excess / student.pdf(x)
    };
    step(step(student.inverse_cdf(p)))
}
