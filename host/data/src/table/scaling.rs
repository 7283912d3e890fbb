//! The scaling of pixels to numbers.
//!
//! A scaling looks at one value at a time; it never sees a whole image's statistics. It is
//! written in a table's metadata, so that whoever opens the table reads the same numbers.

use std::sync::Arc;

/// A scaling of 8-bit pixels (docs/methods.md, Data).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scaling {
    /// Pixel / 255, in [0, 1], correctly rounded.
    #[default]
    UnitInterval,
    /// (Pixel / 255 − mean) / standard deviation, by channel.
    Standardised(Standardisation),
}

/// The statistics of a standardisation, and what they make of each pixel value.
#[derive(Clone, Debug)]
pub struct Standardisation {
    mean: Vec<f64>,
    standard_deviation: Vec<f64>,
    /// For each channel, the scaled value of each pixel value.
    levels: Arc<[[f32; 256]]>,
}

/// Statistics by which nothing can be standardised.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidStandardisation {
    /// There is not one mean and one standard deviation for each channel.
    #[error("there are {means} means and {deviations} standard deviations")]
    Counts {
        /// The number of means.
        means: usize,
        /// The number of standard deviations.
        deviations: usize,
    },
    /// A mean is not finite, or a standard deviation not a positive number.
    #[error(
        "channel {channel} cannot be standardised: its mean is {mean} and its standard deviation \
         {standard_deviation}"
    )]
    Channel {
        /// The channel, from 0.
        channel: usize,
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        standard_deviation: f64,
    },
}

impl Standardisation {
    /// A standardisation with the mean and the standard deviation of pixels / 255 of each
    /// channel. A scaled value is computed in 64 bits and then rounded once.
    pub fn new(mean: &[f64], standard_deviation: &[f64]) -> Result<Self, InvalidStandardisation> {
        if mean.len() != standard_deviation.len() {
            return Err(InvalidStandardisation::Counts {
                means: mean.len(),
                deviations: standard_deviation.len(),
            });
        }
        let mut levels = Vec::with_capacity(mean.len());
        for (channel, (&mean, &standard_deviation)) in
            mean.iter().zip(standard_deviation).enumerate()
        {
            let positive = standard_deviation.is_finite() && standard_deviation > 0.0;
            if !mean.is_finite() || !positive {
                return Err(InvalidStandardisation::Channel {
                    channel,
                    mean,
                    standard_deviation,
                });
            }
            levels.push(std::array::from_fn(|pixel| {
                ((pixel as f64 / 255.0 - mean) / standard_deviation) as f32
            }));
        }
        Ok(Self {
            mean: mean.to_vec(),
            standard_deviation: standard_deviation.to_vec(),
            levels: levels.into(),
        })
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// The mean of each channel.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The standard deviation of each channel.
    pub fn standard_deviation(&self) -> &[f64] {
        &self.standard_deviation
    }
}

impl PartialEq for Standardisation {
    fn eq(&self, other: &Self) -> bool {
        (&self.mean, &self.standard_deviation) == (&other.mean, &other.standard_deviation)
    }
}

impl Scaling {
    /// Scales the pixels of one image, in layout (C, H, W), into `scaled`, of the same length.
    pub(super) fn apply(&self, pixels: &[u8], scaled: &mut [f32]) {
        match self {
            // A division, which vectorises: faster than looking 256 levels up, and exact where
            // a product with 1 / 255 is not.
            Self::UnitInterval => {
                for (scaled, &pixel) in scaled.iter_mut().zip(pixels) {
                    *scaled = f32::from(pixel) / 255.0;
                }
            }
            Self::Standardised(standardisation) => standardisation.apply(pixels, scaled),
        }
    }

    /// The scaled value of each pixel value, (channels, 256).
    pub fn levels(&self, channels: u32) -> Vec<f32> {
        match self {
            Self::UnitInterval => {
                let values: [u8; 256] = std::array::from_fn(|value| value as u8);
                let mut levels = [0.0; 256];
                self.apply(&values, &mut levels);
                levels.repeat(channels as usize)
            }
            Self::Standardised(standardisation) => standardisation.levels.as_flattened().to_vec(),
        }
    }

    /// The pixels nearest to the values of one image, in layout (C, H, W): what the scaling makes of a pixel
    /// comes back as that pixel. Values outside of the range of pixels become its ends, NaN becomes 0.
    pub fn pixels(&self, scaled: &[f32]) -> Vec<u8> {
        // A cast of a float to an integer stays within its range.
        let nearest = |unit: f64| (255.0 * unit).round() as u8;
        match self {
            Self::UnitInterval => scaled
                .iter()
                .map(|value| nearest(f64::from(*value)))
                .collect(),
            Self::Standardised(standardisation) => {
                let Standardisation {
                    mean,
                    standard_deviation,
                    ..
                } = standardisation;
                let size = (scaled.len() / mean.len().max(1)).max(1);
                let statistics = mean.iter().zip(standard_deviation);
                let channels = scaled.chunks_exact(size).zip(statistics);
                let pixels = channels.flat_map(|(values, (mean, deviation))| {
                    let unit = |value: &f32| f64::from(*value).mul_add(*deviation, *mean);
                    values.iter().map(move |value| nearest(unit(value)))
                });
                pixels.collect()
            }
        }
    }
}

impl Standardisation {
    fn apply(&self, pixels: &[u8], scaled: &mut [f32]) {
        let size = (pixels.len() / self.levels.len().max(1)).max(1);
        let channels = pixels.chunks_exact(size).zip(scaled.chunks_exact_mut(size));
        for (levels, (pixels, scaled)) in self.levels.iter().zip(channels) {
            for (scaled, &pixel) in scaled.iter_mut().zip(pixels) {
                *scaled = levels[usize::from(pixel)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both kinds, for two channels.
    fn scalings() -> [Scaling; 2] {
        let standardisation = Standardisation::new(&[0.1307, 0.5], &[0.3081, 0.01]).unwrap();
        [
            Scaling::UnitInterval,
            Scaling::Standardised(standardisation),
        ]
    }

    /// Every pixel value in each of two channels, scaled.
    fn scaled(scaling: &Scaling) -> (Vec<u8>, Vec<f32>) {
        let pixels: Vec<u8> = (0..=255).chain(0..=255).collect();
        let mut scaled = vec![0.0; pixels.len()];
        scaling.apply(&pixels, &mut scaled);
        (pixels, scaled)
    }

    #[test]
    fn levels_are_what_pixels_are_scaled_to() {
        for scaling in scalings() {
            assert_eq!(scaling.levels(2), scaled(&scaling).1);
        }
    }

    #[test]
    fn scaled_pixels_come_back() {
        for scaling in scalings() {
            let (pixels, scaled) = scaled(&scaling);
            assert_eq!(scaling.pixels(&scaled), pixels);
        }
        let outside = [-3.0, 7.0, f32::NAN, f32::INFINITY];
        assert_eq!(Scaling::UnitInterval.pixels(&outside), [0, 255, 0, 255]);
    }
}
