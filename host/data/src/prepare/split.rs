//! Which images of a set belong to a split, and writing them down.

use std::path::Path;

use super::description::SplitDescription;
use super::error::PrepareError;
use super::statistics::Statistics;
use crate::idx::Images;
use crate::order::split_order;
use crate::table::{ImageShape, TableWriter};

/// Images and their labels, which pair up and are classes.
pub(super) struct LabelledImages {
    pub(super) images: Images,
    pub(super) labels: Vec<u8>,
    pub(super) shape: ImageShape,
    pub(super) classes: u16,
}

/// The positions of the training and of the validation split in a training set of `count`
/// images, both ascending. The validation split is a uniformly drawn subset keyed by `seed`.
pub(super) fn draw_validation(seed: u64, count: u32, validation: u32) -> (Vec<u32>, Vec<u32>) {
    let mut held_out = split_order(seed, count);
    let mut train = held_out.split_off(validation.min(count) as usize);
    held_out.sort_unstable();
    train.sort_unstable();
    (train, held_out)
}

impl LabelledImages {
    /// Writes the images at `positions` as the table `file` in `output`.
    pub(super) fn write(
        &self,
        positions: &[u32],
        output: &Path,
        file: &str,
    ) -> Result<(SplitDescription, Statistics), PrepareError> {
        let mut table = TableWriter::create(&output.join(file), self.shape, self.classes.into())?;
        let mut statistics = Statistics::new(self.shape, self.classes);
        let size = self.shape.pixels();
        for &position in positions {
            let position = position as usize;
            let image = &self.images.pixels[position * size..(position + 1) * size];
            let label = self.labels[position];
            table.push(image, label.into())?;
            statistics.add(image, label);
        }
        table.finish()?;
        let description = SplitDescription {
            file: file.to_owned(),
            images: positions.len() as u32,
            label_counts: statistics.label_counts().to_vec(),
        };
        Ok((description, statistics))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_splits_partition_the_training_set(
            seed: u64,
            count in 1_u32..500,
            fraction in 0.0..1.0_f64,
        ) {
            let validation = (f64::from(count) * fraction) as u32;
            let (train, held_out) = draw_validation(seed, count, validation);
            prop_assert_eq!(held_out.len(), validation as usize);
            prop_assert!(train.is_sorted() && held_out.is_sorted());
            let mut all = [train, held_out].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_split_of_a_seed_never_changes() {
        assert_eq!(
            draw_validation(0, 60_000, 4).1,
            [3_604, 6_503, 22_170, 35_107]
        );
        assert_eq!(
            draw_validation(1, 60_000, 4).1,
            [7_167, 18_362, 24_981, 41_877]
        );
    }
}
