//! The images of a dataset that belong to each split.

use crate::error::DatasetError;
use crate::order::{split_order, test_order};
use crate::sources::{DatasetParameters, OpenDataset};

/// Positions of each split in the set that it is taken from, ascending.
pub(super) struct SplitPositions {
    pub(super) train: Vec<u32>,
    pub(super) validation: Vec<u32>,
    pub(super) test: Vec<u32>,
}

impl SplitPositions {
    pub(super) fn choose(
        parameters: &DatasetParameters,
        dataset: &OpenDataset,
    ) -> Result<Self, DatasetError> {
        let count = dataset.train.labels().len() as u32;
        let refuse = |problem: &str| Err(refusal(parameters, "test", problem));
        match (&dataset.test, dataset.drawn_test) {
            (Some(test), None) => Self::of(parameters, count, test.labels().len() as u32),
            (Some(_), Some(_)) => {
                refuse("draws a test set, but the dataset has one of its own; leave it out")
            }
            (None, None) => refuse(
                "is missing: the dataset has no test set of its own, and `test = N` draws one of \
                 N images from the training set",
            ),
            (None, Some(0)) => refuse("is 0, must be at least 1"),
            (None, Some(test)) if test >= count => refuse(&format!(
                "is {test}, which leaves nothing to train on: there are {count} images"
            )),
            (None, Some(test)) => {
                let (rest, test) = draw_test(parameters.split_seed, count, test);
                let chosen = Self::of(parameters, rest.len() as u32, test.len() as u32)?;
                let of = |set: &[u32], positions: Vec<u32>| {
                    let positions = positions.into_iter();
                    positions.map(|at| set[at as usize]).collect()
                };
                Ok(Self {
                    train: of(&rest, chosen.train),
                    validation: of(&rest, chosen.validation),
                    test: of(&test, chosen.test),
                })
            }
        }
    }

    /// The splits of a training and a test set of so many images.
    fn of(parameters: &DatasetParameters, train: u32, test: u32) -> Result<Self, DatasetError> {
        let DatasetParameters {
            validation, limit, ..
        } = *parameters;
        if validation >= train {
            let problem = format!(
                "is {validation}, which leaves nothing to train on: the training set has {train} \
                 images"
            );
            return Err(refusal(parameters, "validation", &problem));
        }
        for (name, limit) in [("limit.train", limit.train), ("limit.test", limit.test)] {
            if limit == Some(0) {
                let problem = "is 0, must be at least 1; leave it out for no limit";
                return Err(refusal(parameters, name, problem));
            }
        }
        let (mut train, validation) = draw_validation(parameters.split_seed, train, validation);
        let mut test: Vec<u32> = (0..test).collect();
        train.truncate(limit.train.map_or(usize::MAX, |limit| limit as usize));
        test.truncate(limit.test.map_or(usize::MAX, |limit| limit as usize));
        Ok(Self {
            train,
            validation,
            test,
        })
    }

    /// The number of images of all splits.
    pub(super) fn count(&self) -> u64 {
        let splits = [&self.train, &self.validation, &self.test];
        splits.map(|positions| positions.len() as u64).iter().sum()
    }
}

fn refusal(parameters: &DatasetParameters, parameter: &'static str, problem: &str) -> DatasetError {
    DatasetError::parameter(parameters.source.name(), parameter, problem)
}

/// The positions of the training and of the validation split in a training set of `count`
/// images, both ascending. The validation split is a uniformly drawn subset keyed by `seed`.
fn draw_validation(seed: u64, count: u32, validation: u32) -> (Vec<u32>, Vec<u32>) {
    take_first(split_order(seed, count), validation)
}

/// The positions that remain of a training set of `count` images, and those of the test set drawn
/// from it, both ascending. The draw is keyed by `seed`, and is another than that of a validation
/// split.
fn draw_test(seed: u64, count: u32, test: u32) -> (Vec<u32>, Vec<u32>) {
    take_first(test_order(seed, count), test)
}

/// The entries of `order` after the first `taken`, and those, both ascending.
fn take_first(mut order: Vec<u32>, taken: u32) -> (Vec<u32>, Vec<u32>) {
    let mut rest = order.split_off((taken as usize).min(order.len()));
    order.sort_unstable();
    rest.sort_unstable();
    (rest, order)
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
