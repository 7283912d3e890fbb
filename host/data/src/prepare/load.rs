//! From a named source to labelled images: obtains the files and reads them by their format.
//!
//! Nothing here splits, limits or scales.

use super::error::PrepareError;
use super::parameters::{DatasetParameters, Facts};
use super::split::LabelledImages;
use crate::known::KnownDataset;
use crate::source::{
    MAX_FILE_BYTES, ObtainedFile, Origin, Progress, Search, obtain_idx, obtain_known,
};
use crate::table::ImageShape;
use crate::{cifar, idx};

/// The two sets of a dataset as published, and where their files came from.
pub(super) struct Loaded {
    pub(super) train: LabelledImages,
    pub(super) test: LabelledImages,
    pub(super) origins: Vec<(&'static str, Origin)>,
}

pub(super) fn load(
    parameters: &DatasetParameters,
    search: Search<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, PrepareError> {
    match parameters.source.facts() {
        Facts::Idx(known) => load_idx(parameters, &obtain_known(known, search, progress)?),
        Facts::Cifar(known) => load_cifar(known, search, progress),
        Facts::Own(own) => load_idx(parameters, &obtain_idx(&own.name, &own.files, search)?),
    }
}

fn origins(files: &[ObtainedFile]) -> Vec<(&'static str, Origin)> {
    let origin = |file: &ObtainedFile| (file.name, file.origin.clone());
    files.iter().map(origin).collect()
}

fn load_cifar(
    known: &KnownDataset<6>,
    search: Search<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, PrepareError> {
    let files = obtain_known(known, search, progress)?;
    let origins = origins(&files);
    let [train @ .., test] = files;
    Ok(Loaded {
        train: cifar_set(train)?,
        test: cifar_set([test])?,
        origins,
    })
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

fn load_idx(
    parameters: &DatasetParameters,
    files: &[ObtainedFile; 4],
) -> Result<Loaded, PrepareError> {
    let classes = parameters.source.classes();
    let [train_images, train_labels, test_images, test_labels] = files;
    let train = idx_set(train_images, train_labels, classes)?;
    let test = idx_set(test_images, test_labels, classes)?;
    if train.shape != test.shape {
        let size = |set: &LabelledImages| [set.shape.height(), set.shape.width()];
        return Err(PrepareError::SizesDiffer {
            dataset: parameters.source.name().to_owned(),
            train: size(&train),
            test: size(&test),
        });
    }
    Ok(Loaded {
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
