//! The dataset stage: from a named source to image tables and a description of them.
//!
//! The output is a function of the parameters alone: the same bytes on every run and machine,
//! wherever the files came from. Where they came from is told beside it, never in it.

mod description;
mod error;
mod load;
mod parameters;
mod split;

use std::path::{Component, Path};

pub use self::description::{DESCRIPTION_FILE, Description, SplitDescription, Splits};
pub use self::error::PrepareError;
pub use self::parameters::{
    DEFAULT_VALIDATION, DatasetParameters, DatasetSource, IdxSource, Limit, ScalingChoice,
};

use self::load::{Loaded, load};
use self::split::{LabelledImages, draw_validation};
use crate::atomic;
use crate::source::{Origin, Progress, Search};
use crate::table::{Scaling, Standardisation};

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
    /// Each source file's name and where it came from: for the log, it decides nothing.
    pub origins: Vec<(&'static str, Origin)>,
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
    let Loaded {
        train,
        test,
        origins,
    } = load(parameters, search, progress)?;
    let splits = choose_splits(parameters, train.count(), test.count())?;
    let description = write(parameters, &train, &test, &splits, output)?;
    Ok(Summary {
        description,
        origins,
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
    let (names, classes) = (source.class_names.len(), usize::from(source.classes));
    if names != 0 && names != classes {
        let problem = format!("has {names} names for {classes} classes");
        return Err(parameter_error(parameters, "class_names", problem));
    }
    Ok(())
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
    let (mean, standard_deviation) = train.statistics(&splits.train).moments();
    let scaling = scaling(parameters, &mean, &standard_deviation)?;
    let validation = (!splits.validation.is_empty())
        .then(|| train.write(&splits.validation, &scaling, output, VALIDATION_FILE));
    let description = Description {
        name: parameters.source.name().to_owned(),
        shape: train.shape,
        classes: train.classes,
        class_names: parameters.source.class_names(),
        scaling: parameters.scaling,
        mean,
        standard_deviation,
        splits: Splits {
            train: train.write(&splits.train, &scaling, output, TRAIN_FILE)?,
            validation: validation.transpose()?,
            test: test.write(&splits.test, &scaling, output, TEST_FILE)?,
        },
    };
    write_description(&description, output)?;
    Ok(description)
}

/// The chosen scaling, with the statistics of the training split where it needs them.
fn scaling(
    parameters: &DatasetParameters,
    mean: &[f64],
    standard_deviation: &[f64],
) -> Result<Scaling, PrepareError> {
    match parameters.scaling {
        ScalingChoice::UnitInterval => Ok(Scaling::UnitInterval),
        ScalingChoice::Standardised => Standardisation::new(mean, standard_deviation)
            .map(Scaling::Standardised)
            .map_err(|source| PrepareError::Scaling {
                dataset: parameters.source.name().to_owned(),
                source,
            }),
    }
}

fn write_description(description: &Description, output: &Path) -> Result<(), PrepareError> {
    let path = output.join(DESCRIPTION_FILE);
    let text = serde_json::to_string_pretty(description).map_err(std::io::Error::from);
    text.and_then(|text| atomic::write(&path, format!("{text}\n").as_bytes()))
        .map_err(|source| PrepareError::Description { path, source })
}

#[cfg(test)]
mod tests;
