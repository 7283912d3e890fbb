//! The dataset stage: from a named source to image tables and a description of them.
//!
//! The output is a function of the parameters alone: the same bytes on every run and machine,
//! wherever the files came from. Where they came from is told beside it, never in it. Small
//! datasets go through memory; those made of image files stream through it into shards.

mod description;
mod error;
mod load;
mod parameters;
mod shards;
mod split;

use std::path::{Component, Path};
use std::sync::atomic::AtomicBool;

pub use self::description::{
    DESCRIPTION_FILE, Description, OpenSplitError, SkippedImage, SplitDescription, Splits,
};
pub use self::error::PrepareError;
pub use self::parameters::{
    BadImagePolicy, DEFAULT_VALIDATION, DatasetParameters, DatasetSource, Digest, IdxSource,
    ImagenetSource, Limit, ParquetFile, ParquetSource, ScalingChoice, SourceFile,
};

use self::load::{Loaded, Loader};
use self::parameters::Facts;
use self::shards::ImageFiles;
use self::split::draw_validation;
use crate::image::MAX_SIZE;
use crate::source::{self, Origin, Search};
use crate::table::{Scaling, Standardisation};
use crate::{atomic, imagenet, parquet_images};

/// The table of the training split.
pub const TRAIN_FILE: &str = "train.arrow";
/// The table of the validation split; absent when none is asked for.
pub const VALIDATION_FILE: &str = "validation.arrow";
/// The table of the test split.
pub const TEST_FILE: &str = "test.arrow";

/// Labels are single bytes in IDX files.
const MAX_IDX_CLASSES: u16 = 256;

/// The outcome of the dataset stage.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The content of the description file.
    pub description: Description,
    /// Each source file's name and its origin: for the log only, without effect on the output.
    pub origins: Vec<(&'static str, Origin)>,
}

/// Where and with what the stage works; nothing of it decides the output.
#[derive(Clone, Copy, Debug)]
pub struct Workplace<'a> {
    /// Where the tables and the description go, a directory that exists.
    pub output: &'a Path,
    /// A directory on the same file system for what survives an interruption: a pass over image
    /// files goes on after the last shard that it finds there.
    pub scratch: &'a Path,
    /// How many images are decoded at a time, at least 1.
    pub threads: usize,
    /// Set from elsewhere to stop a pass over image files.
    pub cancelled: &'a AtomicBool,
}

/// How far the stage has come.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A file is being downloaded.
    Fetching(source::Progress<'a>),
    /// Images are being decoded.
    Images {
        /// How many were, those before an interruption included.
        done: u64,
        /// How many there are.
        total: u64,
    },
}

/// Obtains the source files and writes the tables and the description.
///
/// The validation split is a subset of the training set drawn by `split_seed`; both it and what
/// remains keep the training set's order. Limits apply after that.
pub fn prepare(
    parameters: &DatasetParameters,
    search: Search<'_>,
    workplace: &Workplace<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Summary, PrepareError> {
    check_source(parameters)?;
    let mut sources = Loader {
        search,
        progress: &mut |step| progress(Progress::Fetching(step)),
    };
    let loaded = match parameters.source.facts() {
        Facts::Idx(known) => sources.idx(known)?,
        Facts::Cifar(known) => sources.cifar(known)?,
        Facts::Own(own) => sources.own(own)?,
        Facts::Imagenet(source) => {
            let found = imagenet::Place::find(search.directory)?.open()?;
            let files = ImageFiles::of_imagenet(source, found);
            return shards::prepare(parameters, &files, workplace, progress);
        }
        Facts::Parquet(source) => {
            let folder = search.directory.unwrap_or(Path::new("."));
            let files = ImageFiles::of_parquet(source, parquet_images::open(source, folder)?);
            return shards::prepare(parameters, &files, workplace, progress);
        }
    };
    let splits = choose_splits(parameters, loaded.train.count(), loaded.test.count())?;
    let description = write(parameters, &loaded, &splits, workplace.output)?;
    Ok(Summary {
        description,
        origins: loaded.origins,
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
    match &parameters.source {
        DatasetSource::Idx(source) => check_idx(parameters, source),
        DatasetSource::Imagenet(source) => check_size(parameters, source.size),
        DatasetSource::Parquet(source) => {
            if !matches!(source.channels, 1 | 3) {
                let problem = format!("is {}, must be 1 (grey) or 3", source.channels);
                return Err(parameter_error(parameters, "channels", problem));
            }
            let names = source.class_names.as_ref().map_or(1, Vec::len);
            if !(1..=usize::from(u16::MAX)).contains(&names) {
                let problem = format!("are {names}, must be from 1 to {}", u16::MAX);
                return Err(parameter_error(parameters, "class_names", problem));
            }
            source
                .size
                .map_or(Ok(()), |size| check_size(parameters, size))
        }
        DatasetSource::Mnist | DatasetSource::FashionMnist | DatasetSource::Cifar10 => Ok(()),
    }
}

fn check_size(parameters: &DatasetParameters, size: u32) -> Result<(), PrepareError> {
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    let problem = format!("is {size}, must be from 1 to {MAX_SIZE}");
    Err(parameter_error(parameters, "size", problem))
}

fn check_idx(parameters: &DatasetParameters, source: &IdxSource) -> Result<(), PrepareError> {
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
    loaded: &Loaded,
    splits: &SplitPositions,
    output: &Path,
) -> Result<Description, PrepareError> {
    let Loaded { train, test, .. } = loaded;
    let (mean, standard_deviation) = train.statistics(&splits.train).moments();
    let scaling = scaling(parameters, &mean, &standard_deviation)?;
    let validation = (!splits.validation.is_empty())
        .then(|| train.write(&splits.validation, &scaling, output, VALIDATION_FILE));
    let description = Description {
        name: parameters.source.name().to_owned(),
        shape: train.shape,
        classes: train.classes,
        class_names: loaded.class_names.clone(),
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
