//! The error of a dataset that could not be prepared. Each message is complete: none has a further cause, which
//! would say a part of it again.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::Advice;
use assay_files::room_advice;

use crate::image::ImageError;
use crate::obtain::ObtainError;
use crate::table::{InvalidStandardisation, TableError, TableFault};

/// A dataset that could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A parameter has no meaning.
    #[error("dataset `{dataset}`: `{parameter}` {problem}")]
    Parameter {
        /// The dataset.
        dataset: String,
        /// The parameter.
        parameter: &'static str,
        /// The fault, and a value that would be right.
        problem: String,
    },
    /// The source files could not be obtained.
    #[error(transparent)]
    Obtain(#[from] ObtainError),
    /// Files are not there, or do not make a dataset together.
    #[error("{0}")]
    Unusable(String),
    /// A file or folder of the source cannot be used.
    #[error("{file}: {problem}")]
    File {
        /// The file or folder, or the place in one.
        file: String,
        /// The fault in words.
        problem: String,
    },
    /// A file is not of the format that its name promises.
    #[error("{file} {fault}")]
    Format {
        /// The origin of the file.
        file: String,
        /// The fault of the file.
        fault: FormatError,
    },
    /// A file could not be hashed.
    #[error(transparent)]
    Hash(Box<dyn Error + Send + Sync>),
    /// The files are not those that the pipeline was planned with.
    #[error(
        "the dataset was planned with other files: {0} has changed since; run the pipeline again"
    )]
    Changed(String),
    /// An image cannot be used.
    #[error(
        "{file} {fault}; obtain the file again, or leave such images out with \
         `on_bad_image = \"skip\"`"
    )]
    BadImage {
        /// The image's file, or its place in one.
        file: String,
        /// The fault of the image.
        fault: ImageError,
    },
    /// No image of the training split can be used.
    #[error("dataset `{dataset}`: no image of the training split can be decoded")]
    NoImage {
        /// The dataset.
        dataset: String,
    },
    /// Threads, the scratch folder or the output folder could not be used.
    #[error("{what}: {error}")]
    Io {
        /// The step that failed, such as `cannot record FILE`.
        what: String,
        /// The reason.
        error: io::Error,
    },
    /// The pass was asked to stop; what it has done is kept.
    #[error("stopped")]
    Cancelled,
    /// A channel cannot be standardised.
    #[error("dataset `{dataset}`: {fault}; `scaling` can be \"unit-interval\"")]
    Scaling {
        /// The dataset.
        dataset: String,
        /// The fault of its statistics.
        fault: InvalidStandardisation,
    },
    /// The images of the training and the test set differ in size.
    #[error(
        "dataset `{dataset}`: training images are {train:?} and test images {test:?} (rows, \
         columns); the files do not belong together"
    )]
    SizesDiffer {
        /// The dataset.
        dataset: String,
        /// Rows and columns of training images.
        train: [u32; 2],
        /// Rows and columns of test images.
        test: [u32; 2],
    },
    /// A table could not be written.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Advice for DatasetError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Io { error, .. }
            | Self::Table(TableError {
                fault: TableFault::Write(error),
                ..
            }) => room_advice(error).into(),
            _ => "".into(),
        }
    }
}

/// The fault of a file that is not of its format, in words that follow the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FormatError(pub(crate) String);

impl From<io::Error> for FormatError {
    fn from(error: io::Error) -> Self {
        Self(format!(
            "could not be read ({error}); obtain the file again"
        ))
    }
}

impl DatasetError {
    /// A parameter of the dataset has no meaning: `problem` is the fault, and a value that would be
    /// right.
    pub(crate) fn parameter(
        dataset: &str,
        parameter: &'static str,
        problem: impl Into<String>,
    ) -> Self {
        Self::Parameter {
            dataset: dataset.to_owned(),
            parameter,
            problem: problem.into(),
        }
    }

    /// The file or folder at `path` cannot be used.
    pub(crate) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Self::File {
            file: path.display().to_string(),
            problem: problem.into(),
        }
    }

    /// The file or folder at `path` cannot be read.
    pub(crate) fn unreadable(path: &Path) -> impl Fn(io::Error) -> Self {
        let path: PathBuf = path.to_owned();
        move |error| Self::file(&path, format!("cannot be read: {error}"))
    }
}
