//! Statistics of a split: the moments and the range of each channel.
//!
//! Sums are integers, exact in any order, so the figures are the same bits everywhere.

use serde::{Deserialize, Serialize};

use crate::table::ImageShape;

/// Sums over the pixels of a split, or of a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statistics {
    channel_pixels: usize,
    /// For each channel, how often each of the 256 pixel values occurs.
    histograms: Vec<Vec<u64>>,
}

impl Statistics {
    pub(crate) fn new(shape: ImageShape) -> Self {
        Self {
            channel_pixels: shape.height() as usize * shape.width() as usize,
            histograms: vec![vec![0; 256]; shape.channels() as usize],
        }
    }

    /// Adds an image (layout C, H, W).
    pub(crate) fn add(&mut self, image: &[u8]) {
        let channels = image.chunks_exact(self.channel_pixels);
        for (histogram, channel) in self.histograms.iter_mut().zip(channels) {
            for &pixel in channel {
                histogram[usize::from(pixel)] += 1;
            }
        }
    }

    /// Adds the sums of another part.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (histogram, others) in self.histograms.iter_mut().zip(&other.histograms) {
            for (count, other) in histogram.iter_mut().zip(others) {
                *count += other;
            }
        }
    }

    /// The mean and the (population) standard deviation of each channel, of pixels / 255.
    pub(crate) fn moments(&self) -> (Vec<f64>, Vec<f64>) {
        let histograms = self.histograms.iter();
        histograms
            .map(|histogram| channel_moments(histogram))
            .unzip()
    }

    /// The smallest and the largest pixel of each channel; `None` where there is none.
    pub(crate) fn ranges(&self) -> Vec<Option<(u8, u8)>> {
        let range = |histogram: &Vec<u64>| {
            let smallest = histogram.iter().position(|&times| times > 0)?;
            let largest = histogram.iter().rposition(|&times| times > 0)?;
            Some((smallest as u8, largest as u8))
        };
        self.histograms.iter().map(range).collect()
    }
}

fn channel_moments(histogram: &[u64]) -> (f64, f64) {
    let (mut count, mut sum, mut squares) = (0_u128, 0_u128, 0_u128);
    for (value, &times) in (0_u128..).zip(histogram) {
        let times = u128::from(times);
        count += times;
        sum += times * value;
        squares += times * value * value;
    }
    if count == 0 {
        return (0.0, 0.0);
    }
    let mean = sum as f64 / count as f64;
    // n² times the variance, exactly: no cancellation between rounded sums.
    let spread = count * squares - sum * sum;
    let deviation = (spread as f64).sqrt() / count as f64;
    (mean / 255.0, deviation / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_definition() {
        let mut statistics = Statistics::new(ImageShape::new(2, 1, 2).unwrap());
        statistics.add(&[0, 255, 10, 10]);
        statistics.add(&[255, 0, 10, 10]);
        let (mean, deviation) = statistics.moments();
        assert_eq!(mean, [0.5, 10.0 / 255.0]);
        assert_eq!(deviation, [0.5, 0.0]);
        assert_eq!(statistics.ranges(), [Some((0, 255)), Some((10, 10))]);
    }

    #[test]
    fn parts_come_to_the_sums_of_the_whole() {
        let shape = ImageShape::new(1, 1, 3).unwrap();
        let of = |images: &[[u8; 3]]| {
            let mut statistics = Statistics::new(shape);
            for image in images {
                statistics.add(image);
            }
            statistics
        };
        let mut parts = of(&[[1, 2, 3], [3, 4, 255]]);
        parts.merge(&of(&[[0, 0, 9]]));
        assert_eq!(parts, of(&[[1, 2, 3], [3, 4, 255], [0, 0, 9]]));
    }
}
