//! The sign-flip permutation test of paired differences.

use serde::Serialize;

use crate::draws::Draws;

/// The most differences whose sign patterns are all counted: two halves of a million sums.
const MOST_COUNTED: usize = 40;
/// The patterns that are drawn where there are more.
const DRAWS: u32 = 100_000;

/// The outcome of a sign-flip test (Fisher 1935): if the two methods were the same, each difference
/// would be as likely with the other sign, so the p-value is the share of the 2ⁿ sign patterns
/// whose |mean| is at least that of the differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SignFlip {
    /// The p-value.
    pub p_value: f64,
    /// The smallest p-value that so many differences can have, 2 / 2ⁿ.
    pub smallest: f64,
    /// Whether all patterns were counted; otherwise 100,000 were drawn, by a key made of the
    /// differences, and the p-value is (b + 1) / (100,000 + 1) with b of them as far out.
    pub exact: bool,
}

impl SignFlip {
    /// The test of finite differences in any order; of none, the p-value is 1.
    pub fn of(differences: &[f64]) -> Self {
        let mut sizes: Vec<_> = differences.iter().map(|it| it.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let total: f64 = sizes.iter().sum();
        let mut ordered = differences.to_vec();
        ordered.sort_by(|a, b| a.abs().total_cmp(&b.abs()).then(a.total_cmp(b)));
        // Patterns that are as far out in exact arithmetic may differ by rounding.
        let least = ordered.iter().sum::<f64>().abs() - 1e-12 * total;
        let exact = sizes.len() <= MOST_COUNTED;
        let p_value = if least <= 0.0 {
            1.0
        } else if exact {
            counted(&sizes, least)
        } else {
            drawn(&sizes, least)
        };
        Self {
            p_value,
            smallest: smallest_p_value(sizes.len()),
            exact,
        }
    }
}

/// 2 / 2ⁿ: the differences as they are, and all of them with the other sign.
pub(crate) fn smallest_p_value(differences: usize) -> f64 {
    let n = i32::try_from(differences).unwrap_or(i32::MAX);
    2.0_f64.powi(1 - n).min(1.0)
}

/// The share of all sign patterns whose |sum| is at least `least`.
fn counted(sizes: &[f64], least: f64) -> f64 {
    let (left, right) = sizes.split_at(sizes.len() / 2);
    let (left, mut right) = (signed_sums(left), signed_sums(right));
    right.sort_by(f64::total_cmp);
    let far = left.iter().map(|sum| {
        let below = right.partition_point(|other| sum + other <= -least);
        let not_above = right.partition_point(|other| sum + other < least);
        (below + right.len() - not_above) as f64
    });
    far.sum::<f64>() / (left.len() as f64 * right.len() as f64)
}

/// The sum for each pattern of signs.
fn signed_sums(sizes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for size in sizes {
        let minus: Vec<_> = sums.iter().map(|sum| sum - size).collect();
        for sum in &mut sums {
            *sum += size;
        }
        sums.extend(minus);
    }
    sums
}

/// The p-value from drawn patterns.
fn drawn(sizes: &[f64], least: f64) -> f64 {
    let mut draws = Draws::keyed("assay sign-flip test", sizes.iter().copied());
    let mut pattern = vec![0; sizes.len().div_ceil(8)];
    let mut far = 0_u32;
    for _ in 0..DRAWS {
        draws.fill(&mut pattern);
        let signed = sizes.iter().enumerate().map(|(at, size)| {
            let bit = pattern.get(at / 8).map_or(0, |byte| byte >> (at % 8) & 1);
            if bit == 0 { *size } else { -size }
        });
        far += u32::from(signed.sum::<f64>().abs() >= least);
    }
    f64::from(far + 1) / f64::from(DRAWS + 1)
}
