//! Which images of a set belong to a split, and writing them down.

use std::path::Path;

use super::description::SplitDescription;
use super::error::PrepareError;
use crate::order::{split_order, test_order};
use crate::statistics::Statistics;
use crate::table::{ImageShape, Scaling, TableWriter};

/// Images and their labels, which pair up and are classes.
pub(super) struct LabelledImages {
    /// Images one after the other, each in layout (C, H, W).
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<u8>,
    pub(super) shape: ImageShape,
    pub(super) classes: u16,
}

/// The positions of the training and of the validation split in a training set of `count`
/// images, both ascending. The validation split is a uniformly drawn subset keyed by `seed`.
pub(super) fn draw_validation(seed: u64, count: u32, validation: u32) -> (Vec<u32>, Vec<u32>) {
    take_first(split_order(seed, count), validation)
}

/// The positions that remain of a training set of `count` images, and those of the test set drawn
/// from it, both ascending. The draw is keyed by `seed`, and is another than that of a validation
/// split.
pub(super) fn draw_test(seed: u64, count: u32, test: u32) -> (Vec<u32>, Vec<u32>) {
    take_first(test_order(seed, count), test)
}

/// The entries of `order` after the first `taken`, and those, both ascending.
fn take_first(mut order: Vec<u32>, taken: u32) -> (Vec<u32>, Vec<u32>) {
    let mut rest = order.split_off((taken as usize).min(order.len()));
    order.sort_unstable();
    rest.sort_unstable();
    (rest, order)
}

impl LabelledImages {
    /// How many images.
    pub(super) fn count(&self) -> u32 {
        self.labels.len() as u32
    }

    /// The moments of the images at `positions`.
    pub(super) fn statistics(&self, positions: &[u32]) -> Statistics {
        let mut statistics = Statistics::new(self.shape);
        for &position in positions {
            statistics.add(self.image(position));
        }
        statistics
    }

    /// Writes the images at `positions` as the table `file` in `output`, to be read with
    /// `scaling`.
    pub(super) fn write(
        &self,
        positions: &[u32],
        scaling: &Scaling,
        output: &Path,
        file: &str,
    ) -> Result<SplitDescription, PrepareError> {
        let path = output.join(file);
        let mut table = TableWriter::create(&path, self.shape, self.classes.into(), scaling)?;
        let mut label_counts = vec![0; usize::from(self.classes)];
        for &position in positions {
            let label = self.labels[position as usize];
            table.push(self.image(position), label.into())?;
            label_counts[usize::from(label)] += 1;
        }
        table.finish()?;
        Ok(SplitDescription {
            file: Some(file.to_owned()),
            shards: Vec::new(),
            images: positions.len() as u32,
            label_counts,
            skipped: Vec::new(),
        })
    }

    fn image(&self, position: u32) -> &[u8] {
        let size = self.shape.pixels();
        &self.pixels[position as usize * size..][..size]
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
