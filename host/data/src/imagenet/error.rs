//! Why a folder is not a copy of ImageNet.

use std::io;
use std::path::{Path, PathBuf};

use super::mat::MatError;

/// Files of ImageNet that are missing, cannot be read, or do not belong together.
#[derive(Debug, thiserror::Error)]
pub enum ImagenetError {
    /// There is no training set.
    #[error(
        "no ImageNet in {}: expected a folder `train` with one folder for each class, or \
         `{}`; name the folder with `path`, or put it as `imagenet` into the folder that \
         --data-dir names", places(.0), super::TRAIN_ARCHIVE
    )]
    Missing(Vec<PathBuf>),
    /// A file or folder cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name cannot be written down.
    #[error("{}: the name is not UTF-8", .0.display())]
    Name(PathBuf),
    /// Something lies where it does not belong.
    #[error("{}: {problem}", path.display())]
    Misplaced {
        /// The misplaced file or folder, or the archive that holds it.
        path: PathBuf,
        /// The fault in words.
        problem: String,
    },
    /// A set has no image, or a number of classes that no table holds.
    #[error("{}: {problem}", path.display())]
    Count {
        /// The set.
        path: PathBuf,
        /// The fault in words.
        problem: String,
    },
    /// Validation images have no labels.
    #[error(
        "{}: the validation images lie in no folders of their classes, and the development kit \
         that has their labels is not there; put `{}` beside them", path.display(), super::DEVKIT_ARCHIVE
    )]
    NoLabels {
        /// The validation set.
        path: PathBuf,
    },
    /// The list of synsets cannot be used.
    #[error("{}: `meta.mat` {source}", path.display())]
    Mat {
        /// The development kit.
        path: PathBuf,
        /// The fault of the list.
        source: MatError,
    },
    /// The list of validation labels cannot be used.
    #[error("{}: the validation ground truth {problem}", path.display())]
    GroundTruth {
        /// The development kit.
        path: PathBuf,
        /// The fault in words.
        problem: String,
    },
}

impl ImagenetError {
    pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unreadable { path, source }
    }
}

fn places(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "any folder, for none was named".to_owned();
    }
    let folders: Vec<_> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    folders.join(" or ")
}
