//! How far a test set of so many images can be trusted. Everything here comes from which images each
//! training got wrong, as shares of the images: 0.0148 is 1.48 %.

use serde::Serialize;

use crate::draws::Draws;
use crate::interval::{Interval, UPPER, percentile_interval, student_quantile, wilson};
use crate::sample::FEWEST_FOR_INTERVAL;

/// The draws of a crossed bootstrap.
const DRAWS: usize = 10_000;

/// The mean error of one method, and what the choice of the images adds to the choice of the seeds.
/// In the formulas there are n seeds and N images, m is the mean error, and pᵢ the share of the
/// seeds that got image i wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TestSet {
    /// How many images.
    pub images: usize,
    /// The mean error m.
    pub mean: f64,
    /// The standard error of the mean from the choice of the images, √(Σ(pᵢ − m)² / (N(N − 1)));
    /// nothing for one image.
    pub standard_error: Option<f64>,
    /// The 95 % interval of the mean error of these trainings on new images: m ± t times the standard
    /// error, with N − 1 degrees of freedom. Where all seeds agree on each image, as one seed does,
    /// it is Wilson's, which knows that none wrong does not mean none ever. Nothing for one image on
    /// which they differ.
    pub interval: Option<Interval>,
    /// The variance between seeds of the error on the distribution of images, not on these (Jordan
    /// 2023): (N²s² − Σ n/(n − 1) pᵢ(1 − pᵢ)) / (N(N − 1)), with s² the variance of the errors on
    /// these. This is the mean covariance of two images, so chance can make it negative. Nothing for
    /// one seed or one image.
    pub method_variance: Option<f64>,
}

impl TestSet {
    /// The test set for one method: for each seed, whether it got each image wrong. Nothing without
    /// seeds or images, or if the seeds have different numbers of images.
    pub fn of(wrong: &[Vec<bool>]) -> Option<Self> {
        let images = wrong.first()?.len();
        if images == 0 || wrong.iter().any(|seed| seed.len() != images) {
            return None;
        }
        // Whole numbers, so that nothing is lost where large sums nearly cancel.
        let of_seed = wrong.iter().map(|seed| count(seed.iter().copied()));
        let of_seeds: Vec<_> = of_seed.collect();
        let of_image = |at| count(wrong.iter().filter_map(|seed| seed.get(at)).copied());
        let of_images: Vec<i128> = (0..images).map(of_image).collect();
        let (n, m) = (wrong.len() as i128, images as i128);
        let total: i128 = of_seeds.iter().sum();
        let squares = |counts: &[i128]| counts.iter().map(|it| it * it).sum::<i128>();
        let disagreements: i128 = of_images.iter().map(|it| it * (n - it)).sum();

        let mean = total as f64 / (n * m) as f64;
        let standard_error = (images > 1).then(|| {
            let spread = m * squares(&of_images) - total * total;
            (spread as f64 / (m * m * (m - 1)) as f64).sqrt() / n as f64
        });
        let interval = if disagreements == 0 {
            wilson((total / n) as f64, images)
        } else {
            standard_error.map(|error| {
                let half = student_quantile(UPPER, (images - 1) as f64) * error;
                let Interval { low, high } = Interval::around(mean, half);
                Interval {
                    low: low.max(0.0),
                    high: high.min(1.0),
                }
            })
        };
        let method_variance = (n > 1 && m > 1).then(|| {
            let covariances = n * squares(&of_seeds) - total * total - disagreements;
            covariances as f64 / (n * (n - 1) * m * (m - 1)) as f64
        });
        Some(Self {
            images,
            mean,
            standard_error,
            interval,
            method_variance,
        })
    }
}

fn count(wrong: impl Iterator<Item = bool>) -> i128 {
    wrong.map(i128::from).sum()
}

/// The difference of two methods that were trained with the same seeds and tested on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Crossed {
    /// The mean error of the first method less that of the second.
    pub difference: f64,
    /// The 95 % interval of the difference for new seeds and new images; nothing for fewer than three
    /// seeds.
    pub interval: Option<Interval>,
}

impl Crossed {
    /// The difference from 10,000 draws, as [`Crossed::with_draws`] makes them.
    pub fn of(a: &[Vec<bool>], b: &[Vec<bool>]) -> Option<Self> {
        Self::with_draws(a, b, DRAWS)
    }

    /// The difference by the crossed bootstrap (Owen 2007): each draw takes as many seeds as there
    /// are, and as many images, both with repetition and independently of each other, and the
    /// interval is the middle 95 % of the differences. For each method and seed, in the same order
    /// for both, it is given whether each image was wrong. Nothing without seeds or images, or if the
    /// numbers do not agree.
    ///
    /// The draws are made by a key of the values, the seeds in any order. Images on which the
    /// methods agree for all seeds add nothing, so only the number of those that are not is drawn,
    /// and then which of them. The cost of a draw is that of the images on which they differ: with 10
    /// seeds and 10,000 images, 10,000 draws take 0.1 s if they differ on one image in 20, and 2 s if
    /// they differ on all.
    pub fn with_draws(a: &[Vec<bool>], b: &[Vec<bool>], draws: usize) -> Option<Self> {
        let images = a.first()?.len();
        let seeds = a.len();
        let is_whole = |seed: &Vec<bool>| seed.len() == images;
        if images == 0 || seeds != b.len() || !a.iter().chain(b).all(is_whole) {
            return None;
        }
        let difference = |(a, b): (&bool, &bool)| i32::from(*a) - i32::from(*b);
        let pairs = a.iter().zip(b);
        let mut rows: Vec<Vec<_>> = pairs
            .map(|(a, b)| a.iter().zip(b).map(difference).collect())
            .collect();
        rows.sort_unstable();
        let total: i64 = rows.iter().flatten().copied().map(i64::from).sum();
        let scale = seeds as f64 * images as f64;
        let interval = || {
            let sums = resampled(&differing(&rows, images), images, draws);
            percentile_interval(sums.into_iter().map(|sum| sum as f64 / scale).collect())
        };
        Some(Self {
            difference: total as f64 / scale,
            interval: (seeds >= FEWEST_FOR_INTERVAL).then(interval).flatten(),
        })
    }
}

/// The rows without the images that are 0 in all of them.
fn differing(rows: &[Vec<i32>], images: usize) -> Vec<Vec<i32>> {
    let is_kept: Vec<_> = (0..images)
        .map(|at| rows.iter().any(|row| row.get(at) != Some(&0)))
        .collect();
    let kept = |row: &Vec<i32>| {
        let places = row.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept);
        places.map(|(value, _)| *value).collect()
    };
    rows.iter().map(kept).collect()
}

/// The sums of drawn seeds and images, those on which the methods differ being in the rows.
fn resampled(rows: &[Vec<i32>], images: usize, draws: usize) -> Vec<i64> {
    let differing = rows.first().map_or(0, Vec::len);
    let values = rows.iter().flatten().map(|value| f64::from(*value));
    let size = [rows.len() as f64, images as f64];
    let mut stream = Draws::keyed("assay crossed bootstrap", size.into_iter().chain(values));
    let numbers = Binomial::new(images, differing as f64 / images as f64);
    let mut sums = vec![0_i32; differing];
    let one = |_| {
        let mut times = vec![0; rows.len()];
        for _ in rows {
            if let Some(times) = times.get_mut(stream.below(rows.len() as u32)) {
                *times += 1;
            }
        }
        sums.fill(0);
        for (row, times) in rows.iter().zip(times).filter(|(_, times)| *times > 0) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += times * value;
            }
        }
        let number = numbers.at(stream.share());
        let images = (0..number).map(|_| sums.get(stream.below(differing as u32)));
        images.flatten().map(|sum| i64::from(*sum)).sum()
    };
    (0..draws).map(one).collect()
}

/// A binomial distribution.
struct Binomial {
    /// The probability of at most 0, 1 … successes.
    cumulative: Vec<f64>,
}

impl Binomial {
    fn new(trials: usize, p: f64) -> Self {
        // From the likeliest number on, each probability from the one next to it, up to a factor.
        let odds = p / (1.0 - p);
        let likeliest = (((trials + 1) as f64 * p) as usize).min(trials);
        let mut weights = vec![0.0; trials + 1];
        let mut weight = 1.0;
        for (number, place) in weights.iter_mut().enumerate().skip(likeliest) {
            *place = weight;
            weight *= (trials - number) as f64 / (number + 1) as f64 * odds;
        }
        weight = 1.0;
        for (number, place) in weights.iter_mut().enumerate().take(likeliest + 1).rev() {
            *place = weight;
            weight *= number as f64 / (trials - number + 1) as f64 / odds;
        }
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        for weight in &mut weights {
            sum += *weight / total;
            *weight = sum;
        }
        Self {
            cumulative: weights,
        }
    }

    /// The number of successes below which this share of the distribution lies.
    fn at(&self, share: f64) -> usize {
        let number = self.cumulative.partition_point(|below| *below <= share);
        number.min(self.cumulative.len() - 1)
    }
}
