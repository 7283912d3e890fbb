//! A split in figures: how many images of each class, and the statistics of its pixels.
//!
//! The figures are of what a table really holds, not of what a description claims.

use crate::statistics::Statistics;
use crate::table::ImageTable;

/// A split in figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// The number of images of each class, by label.
    pub label_counts: Vec<u64>,
    /// The pixels of each channel.
    pub channels: Vec<ChannelFigures>,
}

/// The pixels of one channel of a split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelFigures {
    /// The mean of pixels / 255; 0 where there is no image.
    pub mean: f64,
    /// The population standard deviation of pixels / 255; 0 where there is no image.
    pub standard_deviation: f64,
    /// The smallest and the largest pixel, from 0 to 255; `None` where there is no image.
    pub range: Option<(u8, u8)>,
}

impl Figures {
    /// The figures of every image of `table`, which is read once from beginning to end.
    pub fn of(table: &ImageTable) -> Self {
        let mut label_counts = vec![0; table.classes() as usize];
        let mut statistics = Statistics::new(table.shape());
        for (pixels, label) in (0..table.len()).filter_map(|index| table.row(index)) {
            // An opened table's labels are below its number of classes.
            if let Some(count) = label_counts.get_mut(label as usize) {
                *count += 1;
            }
            statistics.add(pixels);
        }
        let (means, deviations) = statistics.moments();
        let moments = means.into_iter().zip(deviations);
        let channels = moments.zip(statistics.ranges());
        Self {
            label_counts,
            channels: channels
                .map(|((mean, standard_deviation), range)| ChannelFigures {
                    mean,
                    standard_deviation,
                    range,
                })
                .collect(),
        }
    }
}
