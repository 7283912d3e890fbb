//! The dataset stage: from a source to image tables and a description of them.
//!
//! The output is a function of the parameters alone: the same bytes on every run and machine,
//! wherever the files came from. Where they came from is told beside it, never in it.

mod decode;
mod description;
mod file;
mod pass;
mod record;
mod splits;

use std::path::Path;
use std::sync::atomic::AtomicBool;

pub use self::description::{
    DESCRIPTION_FILE, Description, SkippedImage, SplitDescription, Splits,
};

use crate::error::DatasetError;
use crate::obtain::{self, Origin, Search};
use crate::sources::DatasetParameters;

/// The outcome of the dataset stage.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The content of the description file.
    pub description: Description,
    /// Each source file's name and its origin: for the log only, without effect on the output.
    pub origins: Vec<(&'static str, Origin)>,
}

/// The means with which the stage works; nothing of it decides the output.
#[derive(Clone, Copy, Debug)]
pub struct Workplace<'a> {
    /// The directory of the tables and the description, which exists.
    pub output: &'a Path,
    /// A directory on the same file system for what survives an interruption: preparing goes on
    /// after the last file that it finds there.
    pub scratch: &'a Path,
    /// The number of images that are decoded at a time, at least 1.
    pub threads: usize,
    /// Set from elsewhere to stop.
    pub cancelled: &'a AtomicBool,
}

/// The progress of the stage.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A file is being downloaded.
    Fetching(obtain::Progress<'a>),
    /// Images are being decoded.
    Images {
        /// The number of decoded images, those before an interruption included.
        done: u64,
        /// The number of all images.
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
) -> Result<Summary, DatasetError> {
    let source = &parameters.source;
    source.check()?;
    let dataset = source.open(search, &mut |step| progress(Progress::Fetching(step)))?;
    let description = pass::prepare(parameters, &dataset, workplace, progress)?;
    Ok(Summary {
        description,
        origins: dataset.origins,
    })
}

#[cfg(test)]
mod tests;
