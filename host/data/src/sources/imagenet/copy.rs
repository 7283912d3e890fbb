//! A copy of ImageNet as its files lie on the user's disk: the official archives or extracted
//! folders, the classes and their order, and the labels of the validation images.
//!
//! | part | as a folder | as published |
//! |---|---|---|
//! | training set | `train/SYNSET/*` | `ILSVRC2012_img_train.tar`, an archive of one archive for each synset |
//! | validation set | `val/SYNSET/*` or `val/*` | `ILSVRC2012_img_val.tar` |
//! | development kit | `ILSVRC2012_devkit_t12/data/*` | `ILSVRC2012_devkit_t12.tar.gz` |
//!
//! Labels are positions in the sorted list of training synsets. Training images are ordered by
//! synset and name, validation images by name, so that folders and archives come to the same
//! dataset. Nothing is unpacked, downloaded or decoded here.

use std::path::{Path, PathBuf};

use super::devkit::{self, Devkit};
use super::set::{self, Listing, Set};
use crate::error::DatasetError;

/// The dataset's name, and that of its folder in the user's data directory.
pub(super) const NAME: &str = "imagenet";

/// Labels and their number are stored in 16 bits.
const MAX_CLASSES: usize = u16::MAX as usize;

const TRAIN_FOLDER: &str = "train";
pub(super) const TRAIN_ARCHIVE: &str = "ILSVRC2012_img_train.tar";
const VALIDATION_FOLDER: &str = "val";
pub(super) const VALIDATION_ARCHIVE: &str = "ILSVRC2012_img_val.tar";
pub(super) const DEVKIT_FOLDER: &str = "ILSVRC2012_devkit_t12";
pub(super) const DEVKIT_ARCHIVE: &str = "ILSVRC2012_devkit_t12.tar.gz";

/// A copy of ImageNet on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalCopy {
    root: PathBuf,
    train: Location,
    validation: Option<Location>,
    devkit: Option<Location>,
}

/// A part of ImageNet, extracted or as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Folder(PathBuf),
    Archive(PathBuf),
}

impl Location {
    /// The part in `root`, if one of the two is there; a folder goes before an archive.
    fn find(root: &Path, folder: &str, archive: &str) -> Option<Self> {
        let (folder, archive) = (root.join(folder), root.join(archive));
        if folder.is_dir() {
            Some(Self::Folder(folder))
        } else {
            archive.is_file().then_some(Self::Archive(archive))
        }
    }

    pub(super) fn path(&self) -> &Path {
        let (Self::Folder(path) | Self::Archive(path)) = self;
        path
    }
}

/// The images of ImageNet and what they show.
pub(super) struct Images {
    /// The classes' names, by label.
    pub(super) class_names: Vec<String>,
    pub(super) train: Set,
    /// The test set: the publishers' validation set, on which everybody tests.
    pub(super) test: Option<Set>,
}

impl LocalCopy {
    /// The copy in the folder `imagenet` of `directory`, or else in `directory` itself.
    pub(super) fn find(directory: Option<&Path>) -> Result<Self, DatasetError> {
        let folders = directory.map(|directory| [directory.join(NAME), directory.to_owned()]);
        let folders: Vec<_> = folders.into_iter().flatten().collect();
        let found = folders.iter().find_map(|root| {
            Some(Self {
                train: Location::find(root, TRAIN_FOLDER, TRAIN_ARCHIVE)?,
                validation: Location::find(root, VALIDATION_FOLDER, VALIDATION_ARCHIVE),
                devkit: Location::find(root, DEVKIT_FOLDER, DEVKIT_ARCHIVE),
                root: root.clone(),
            })
        });
        found.ok_or_else(|| missing(&folders))
    }

    /// The folder that all files lie in.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the publishers' validation set, on which everybody tests, is there.
    pub(super) fn has_test_set(&self) -> bool {
        self.validation.is_some()
    }

    /// Every file that decides what the dataset is, relative to the root, in an order of its own.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, DatasetError> {
        let mut files = set::files(&self.train, &self.root)?;
        if let Some(validation) = &self.validation {
            files.extend(set::files(validation, &self.root)?);
        }
        if let Some(devkit) = &self.devkit {
            files.extend(devkit::files(devkit));
        }
        Ok(files)
    }

    /// Lists the images and reads what the development kit says of them.
    pub(super) fn open(&self) -> Result<Images, DatasetError> {
        let devkit = self.devkit.as_ref().map(Devkit::read).transpose()?;
        let Listing::ByClass(train) = set::list(&self.train)? else {
            let problem = "training images must lie in one folder for each class";
            return Err(DatasetError::file(self.train.path(), problem));
        };
        let synsets: Vec<String> = train.iter().map(|class| class.name.clone()).collect();
        if synsets.len() > MAX_CLASSES {
            let problem = format!("has {} classes, at most {MAX_CLASSES} fit", synsets.len());
            return Err(DatasetError::file(self.train.path(), problem));
        }
        let test = match &self.validation {
            None => None,
            Some(location) => Some(test_set(location, devkit.as_ref(), &synsets)?),
        };
        Ok(Images {
            class_names: match &devkit {
                Some(devkit) => devkit.class_names(&synsets),
                None => synsets.clone(),
            },
            train: Set::of_classes(&self.train, train, |label, _| Some(label), &synsets)?,
            test,
        })
    }
}

fn missing(folders: &[PathBuf]) -> DatasetError {
    let folders: Vec<_> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    let searched = if folders.is_empty() {
        "any folder, for none was named".to_owned()
    } else {
        folders.join(" or ")
    };
    DatasetError::Unusable(format!(
        "no ImageNet in {searched}: expected a folder `train` with one folder for each class, or \
         `{TRAIN_ARCHIVE}`; name the folder with `path`, or put it as `imagenet` into the folder \
         that --data-dir names"
    ))
}

fn test_set(
    location: &Location,
    devkit: Option<&Devkit>,
    synsets: &[String],
) -> Result<Set, DatasetError> {
    match set::list(location)? {
        Listing::ByClass(classes) => {
            let label = |_, name: &String| {
                let label = synsets.binary_search(name).ok()?;
                Some(label as u16)
            };
            Ok(Set::of_classes(location, classes, label, synsets)?.by_name())
        }
        Listing::Flat(files) => {
            let no_labels = || {
                let problem = format!(
                    "the validation images lie in no folders of their classes, and the \
                     development kit that has their labels is not there; put `{DEVKIT_ARCHIVE}` \
                     beside them"
                );
                DatasetError::file(location.path(), problem)
            };
            let labels = devkit.ok_or_else(no_labels)?.labels(synsets, files.len())?;
            Set::flat(location, files, labels)
        }
    }
}
