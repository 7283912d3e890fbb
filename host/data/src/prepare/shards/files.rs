//! A dataset of image files as a pass sees it, wherever its images come from, and which of them
//! belong to which split.

use super::super::parameters::{BadImagePolicy, DatasetParameters, ImagenetSource, ParquetSource};
use super::super::split::draw_test;
use super::super::{PrepareError, SplitPositions, choose_splits, parameter_error};
use crate::encoded::EncodedImages;
use crate::image::Form;
use crate::imagenet::Imagenet;
use crate::parquet_images::ParquetImages;

/// A dataset of image files, and what is made of it.
pub(in crate::prepare) struct ImageFiles {
    pub(super) class_names: Vec<String>,
    pub(super) train: Box<dyn EncodedImages>,
    pub(super) test: Option<Box<dyn EncodedImages>>,
    /// How many images form the test set where there is none.
    pub(super) drawn_test: Option<u32>,
    pub(super) form: Form,
    pub(super) on_bad_image: BadImagePolicy,
}

impl ImageFiles {
    pub(in crate::prepare) fn of_imagenet(source: &ImagenetSource, found: Imagenet) -> Self {
        Self {
            class_names: found.class_names,
            train: Box::new(found.train),
            test: found
                .test
                .map(|set| Box::new(set) as Box<dyn EncodedImages>),
            drawn_test: source.test,
            form: source.form(),
            on_bad_image: source.on_bad_image,
        }
    }

    pub(in crate::prepare) fn of_parquet(source: &ParquetSource, found: ParquetImages) -> Self {
        Self {
            class_names: found.class_names,
            train: Box::new(found.train),
            test: found
                .test
                .map(|set| Box::new(set) as Box<dyn EncodedImages>),
            drawn_test: source.test,
            form: source.form(),
            on_bad_image: source.on_bad_image,
        }
    }

    /// The set that test images come from.
    pub(super) fn test_set(&self) -> &dyn EncodedImages {
        self.test.as_ref().unwrap_or(&self.train).as_ref()
    }

    /// The positions of each split in the set that it is taken from.
    pub(super) fn split(
        &self,
        parameters: &DatasetParameters,
    ) -> Result<SplitPositions, PrepareError> {
        let count = self.train.labels().len() as u32;
        match (&self.test, self.drawn_test) {
            (Some(test), None) => choose_splits(parameters, count, test.labels().len() as u32),
            (Some(_), Some(_)) => {
                let problem = "draws a test set, but the dataset has one of its own; leave it out";
                Err(parameter_error(parameters, "test", problem))
            }
            (None, None) => {
                let problem = "is missing: the dataset has no test set of its own, and `test = N` \
                               draws one of N images from the training set";
                Err(parameter_error(parameters, "test", problem))
            }
            (None, Some(0)) => {
                let problem = "is 0, must be at least 1";
                Err(parameter_error(parameters, "test", problem))
            }
            (None, Some(test)) if test >= count => {
                let problem = format!(
                    "is {test}, which leaves nothing to train on: there are {count} images"
                );
                Err(parameter_error(parameters, "test", problem))
            }
            (None, Some(test)) => {
                let (rest, test) = draw_test(parameters.split_seed, count, test);
                let chosen = choose_splits(parameters, rest.len() as u32, test.len() as u32)?;
                let of = |set: &[u32], positions: Vec<u32>| {
                    let positions = positions.into_iter();
                    positions.map(|at| set[at as usize]).collect()
                };
                Ok(SplitPositions {
                    train: of(&rest, chosen.train),
                    validation: of(&rest, chosen.validation),
                    test: of(&test, chosen.test),
                })
            }
        }
    }
}
