//! Why a dataset could not be prepared.

use std::io;
use std::path::PathBuf;

use crate::cifar::CifarError;
use crate::idx::IdxError;
use crate::image::BadImage;
use crate::imagenet::ImagenetError;
use crate::parquet_images::ParquetImagesError;
use crate::source::SourceError;
use crate::table::{InvalidShape, InvalidStandardisation, WriteError};

/// A dataset that could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
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
    Source(#[from] SourceError),
    /// A source file is not what its name says.
    #[error("{file} {source}")]
    Idx {
        /// Where the file came from.
        file: String,
        /// The fault of the file.
        source: IdxError,
    },
    /// A source file of CIFAR-10 is not what its name says.
    #[error("{file} {source}")]
    Cifar {
        /// Where the file came from.
        file: String,
        /// The fault of the file.
        source: CifarError,
    },
    /// The user's copy of ImageNet cannot be used.
    #[error(transparent)]
    Imagenet(#[from] ImagenetError),
    /// The user's Parquet files cannot be used.
    #[error(transparent)]
    Parquet(#[from] ParquetImagesError),
    /// An image cannot be used.
    #[error("{0}; obtain the file again, or leave such images out with `on_bad_image = \"skip\"`")]
    BadImage(#[from] BadImage),
    /// No image of the training split can be used.
    #[error("dataset `{dataset}`: no image of the training split can be decoded")]
    NoImage {
        /// The dataset.
        dataset: String,
    },
    /// Threads could not be had, or the scratch directory could not be used.
    #[error("{what}: {source}")]
    Scratch {
        /// The step that failed, such as `cannot record FILE`.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// The pass was asked to stop; what it has done is kept.
    #[error("stopped")]
    Cancelled,
    /// A channel cannot be standardised.
    #[error("dataset `{dataset}`: {source}; `scaling` can be \"unit-interval\"")]
    Scaling {
        /// The dataset.
        dataset: String,
        /// The fault of its statistics.
        source: InvalidStandardisation,
    },
    /// Images are too large.
    #[error("{file}: {source}")]
    Shape {
        /// Where the file came from.
        file: String,
        /// The fault of the shape.
        source: InvalidShape,
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
    Write(#[from] WriteError),
    /// The description could not be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Description {
        /// The description's path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
