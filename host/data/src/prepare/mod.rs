//! The dataset stage: from a named source to image tables and a description of them.
//!
//! The output is a function of the parameters alone: the same bytes on every run and machine,
//! wherever the files came from. Where they came from is told beside it, never in it.

mod description;
mod error;
mod parameters;
mod split;
mod statistics;

use std::path::{Component, Path};

pub use self::description::{DESCRIPTION_FILE, Description, SplitDescription, Splits};
pub use self::error::PrepareError;
pub use self::parameters::{
    DEFAULT_VALIDATION, DatasetParameters, DatasetSource, IdxSource, Limit,
};

use self::parameters::Facts;
use self::split::{LabelledImages, draw_validation};
use crate::known::IdxFile;
use crate::source::{self, IdxContents, MAX_FILE_BYTES, ObtainedFile, Origin, Progress, Search};
use crate::table::ImageShape;
use crate::{atomic, idx};

/// The table of the training split.
pub const TRAIN_FILE: &str = "train.arrow";
/// The table of the validation split; absent when none is asked for.
pub const VALIDATION_FILE: &str = "validation.arrow";
/// The table of the test split.
pub const TEST_FILE: &str = "test.arrow";

/// Labels are single bytes in IDX files.
const MAX_IDX_CLASSES: u16 = 256;

/// What the stage did.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The content of the description file.
    pub description: Description,
    /// Where each source file came from: for the log, it decides nothing.
    pub origins: [(IdxFile, Origin); 4],
}

/// Obtains the source files and writes the tables and the description into `output`, a
/// directory that exists.
///
/// The validation split is a subset of the training set drawn by `split_seed`; both it and what
/// remains keep the training set's order. Limits apply after that.
pub fn prepare(
    parameters: &DatasetParameters,
    search: Search<'_>,
    output: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Summary, PrepareError> {
    check_source(parameters)?;
    let contents = match parameters.source.facts() {
        Facts::Known(known) => source::obtain_known(known, search, progress)?,
        Facts::Own(own) => source::obtain_idx(&own.name, &own.files, search)?,
    };
    let (train, test) = parse(parameters, &contents)?;
    let splits = choose_splits(parameters, train.images.count, test.images.count)?;
    let description = write(parameters, &train, &test, &splits, output)?;
    Ok(Summary {
        description,
        origins: origins(contents),
    })
}

fn parameter_error(
    parameters: &DatasetParameters,
    parameter: &'static str,
    problem: impl Into<String>,
) -> PrepareError {
    PrepareError::Parameter {
        dataset: parameters.source.name().to_owned(),
        parameter,
        problem: problem.into(),
    }
}

fn check_source(parameters: &DatasetParameters) -> Result<(), PrepareError> {
    let DatasetSource::Idx(source) = &parameters.source else {
        return Ok(());
    };
    let mut components = Path::new(&source.name).components();
    let plain = matches!(
        (components.next(), components.next()),
        (Some(Component::Normal(name)), None) if name == source.name.as_str()
    );
    if !plain {
        let problem = "must be a plain folder name, for the files are looked for in a folder of \
                       that name";
        return Err(parameter_error(parameters, "name", problem));
    }
    if !(1..=MAX_IDX_CLASSES).contains(&source.classes) {
        let problem = format!("is {}, must be from 1 to {MAX_IDX_CLASSES}", source.classes);
        return Err(parameter_error(parameters, "classes", problem));
    }
    Ok(())
}

fn parse(
    parameters: &DatasetParameters,
    contents: &IdxContents,
) -> Result<(LabelledImages, LabelledImages), PrepareError> {
    let classes = parameters.source.classes();
    let train = parse_set(&contents.train_images, &contents.train_labels, classes)?;
    let test = parse_set(&contents.test_images, &contents.test_labels, classes)?;
    if train.shape == test.shape {
        Ok((train, test))
    } else {
        Err(PrepareError::SizesDiffer {
            dataset: parameters.source.name().to_owned(),
            train: [train.images.rows, train.images.columns],
            test: [test.images.rows, test.images.columns],
        })
    }
}

fn parse_set(
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
        images,
        labels,
        shape,
        classes,
    })
}

/// Positions of each split in the set that it is taken from, ascending.
struct SplitPositions {
    train: Vec<u32>,
    validation: Vec<u32>,
    test: Vec<u32>,
}

fn choose_splits(
    parameters: &DatasetParameters,
    train_count: u32,
    test_count: u32,
) -> Result<SplitPositions, PrepareError> {
    let DatasetParameters {
        validation, limit, ..
    } = *parameters;
    if validation >= train_count {
        let problem = format!(
            "is {validation}, which leaves nothing to train on: the training set has \
             {train_count} images"
        );
        return Err(parameter_error(parameters, "validation", problem));
    }
    for (name, limit) in [("limit.train", limit.train), ("limit.test", limit.test)] {
        if limit == Some(0) {
            let problem = "is 0, must be at least 1; leave it out for no limit";
            return Err(parameter_error(parameters, name, problem));
        }
    }
    let (mut train, validation) = draw_validation(parameters.split_seed, train_count, validation);
    let mut test: Vec<u32> = (0..test_count).collect();
    train.truncate(limit.train.map_or(usize::MAX, |limit| limit as usize));
    test.truncate(limit.test.map_or(usize::MAX, |limit| limit as usize));
    Ok(SplitPositions {
        train,
        validation,
        test,
    })
}

fn write(
    parameters: &DatasetParameters,
    train: &LabelledImages,
    test: &LabelledImages,
    splits: &SplitPositions,
    output: &Path,
) -> Result<Description, PrepareError> {
    let (train_split, statistics) = train.write(&splits.train, output, TRAIN_FILE)?;
    let validation_split = if splits.validation.is_empty() {
        None
    } else {
        Some(train.write(&splits.validation, output, VALIDATION_FILE)?.0)
    };
    let (test_split, _) = test.write(&splits.test, output, TEST_FILE)?;
    let (mean, standard_deviation) = statistics.moments();
    let description = Description {
        name: parameters.source.name().to_owned(),
        shape: train.shape,
        classes: train.classes,
        class_names: parameters.source.class_names(),
        mean,
        standard_deviation,
        splits: Splits {
            train: train_split,
            validation: validation_split,
            test: test_split,
        },
    };
    write_description(&description, output)?;
    Ok(description)
}

fn write_description(description: &Description, output: &Path) -> Result<(), PrepareError> {
    let path = output.join(DESCRIPTION_FILE);
    let text = serde_json::to_string_pretty(description).map_err(std::io::Error::from);
    text.and_then(|text| atomic::write(&path, format!("{text}\n").as_bytes()))
        .map_err(|source| PrepareError::Description { path, source })
}

fn origins(contents: IdxContents) -> [(IdxFile, Origin); 4] {
    [
        (IdxFile::TrainImages, contents.train_images.origin),
        (IdxFile::TrainLabels, contents.train_labels.origin),
        (IdxFile::TestImages, contents.test_images.origin),
        (IdxFile::TestLabels, contents.test_labels.origin),
    ]
}

#[cfg(test)]
mod tests;
