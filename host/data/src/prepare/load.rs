//! From a source of known size to labelled images in memory: obtains the files and reads them by
//! their format.
//!
//! Nothing here splits, limits or scales.

use super::error::PrepareError;
use super::parameters::IdxSource;
use super::split::LabelledImages;
use crate::known::KnownDataset;
use crate::source::{
    MAX_FILE_BYTES, ObtainedFile, Origin, Progress, Search, obtain_idx, obtain_known,
};
use crate::table::ImageShape;
use crate::{cifar, idx};

/// The two sets of a dataset as published, and where their files came from.
pub(super) struct Loaded {
    /// The classes' names, by label: the labels themselves where nobody named them.
    pub(super) class_names: Vec<String>,
    pub(super) train: LabelledImages,
    pub(super) test: LabelledImages,
    pub(super) origins: Vec<(&'static str, Origin)>,
}

/// Fetches what the search allows.
pub(super) struct Loader<'a> {
    pub(super) search: Search<'a>,
    pub(super) progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Loader<'_> {
    pub(super) fn idx(&mut self, known: &KnownDataset<4>) -> Result<Loaded, PrepareError> {
        let files = obtain_known(known, self.search, self.progress)?;
        let class_names = names(known.class_names);
        read_idx(known.name, class_names, &files)
    }

    pub(super) fn own(&mut self, own: &IdxSource) -> Result<Loaded, PrepareError> {
        let files = obtain_idx(&own.name, &own.files, self.search)?;
        let class_names = if own.class_names.is_empty() {
            (0..own.classes).map(|label| label.to_string()).collect()
        } else {
            own.class_names.clone()
        };
        read_idx(&own.name, class_names, &files)
    }

    pub(super) fn cifar(&mut self, known: &KnownDataset<6>) -> Result<Loaded, PrepareError> {
        let files = obtain_known(known, self.search, self.progress)?;
        let origins = origins(&files);
        let [train @ .., test] = files;
        Ok(Loaded {
            class_names: names(known.class_names),
            train: cifar_set(train)?,
            test: cifar_set([test])?,
            origins,
        })
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn origins(files: &[ObtainedFile]) -> Vec<(&'static str, Origin)> {
    let origin = |file: &ObtainedFile| (file.name, file.origin.clone());
    files.iter().map(origin).collect()
}

fn cifar_set<const N: usize>(files: [ObtainedFile; N]) -> Result<LabelledImages, PrepareError> {
    let mut records = cifar::Records::default();
    for file in files {
        records
            .append(&*file.bytes, cifar::RECORDS_PER_FILE)
            .map_err(|source| PrepareError::Cifar {
                file: file.origin.to_string(),
                source,
            })?;
    }
    Ok(LabelledImages {
        pixels: records.pixels,
        labels: records.labels,
        shape: ImageShape::CIFAR,
        classes: cifar::CLASSES.into(),
    })
}

fn read_idx(
    dataset: &str,
    class_names: Vec<String>,
    files: &[ObtainedFile; 4],
) -> Result<Loaded, PrepareError> {
    let classes = class_names.len() as u16;
    let [train_images, train_labels, test_images, test_labels] = files;
    let train = idx_set(train_images, train_labels, classes)?;
    let test = idx_set(test_images, test_labels, classes)?;
    if train.shape != test.shape {
        let size = |set: &LabelledImages| [set.shape.height(), set.shape.width()];
        return Err(PrepareError::SizesDiffer {
            dataset: dataset.to_owned(),
            train: size(&train),
            test: size(&test),
        });
    }
    Ok(Loaded {
        class_names,
        train,
        test,
        origins: origins(files),
    })
}

fn idx_set(
    images_file: &ObtainedFile,
    labels_file: &ObtainedFile,
    classes: u16,
) -> Result<LabelledImages, PrepareError> {
    let in_file = |file: &ObtainedFile, source| PrepareError::Idx {
        file: file.origin.to_string(),
        source,
    };
    let images = idx::read_images(&*images_file.bytes, MAX_FILE_BYTES)
        .map_err(|error| in_file(images_file, error))?;
    let labels = idx::read_labels(&*labels_file.bytes, MAX_FILE_BYTES)
        .map_err(|error| in_file(labels_file, error))?;
    idx::check_labels(images.count, &labels, classes)
        .map_err(|error| in_file(labels_file, error))?;
    let shape =
        ImageShape::new(1, images.rows, images.columns).map_err(|error| PrepareError::Shape {
            file: images_file.origin.to_string(),
            source: error,
        })?;
    Ok(LabelledImages {
        pixels: images.pixels,
        labels,
        shape,
        classes,
    })
}
