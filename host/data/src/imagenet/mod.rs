//! ImageNet (ILSVRC2012) as its files lie on the user's disk: the official archives or extracted
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

mod archive;
mod devkit;
mod error;
mod mat;
mod set;

use std::path::{Path, PathBuf};

pub use self::error::ImagenetError;
pub use self::mat::MatError;

pub(crate) use self::set::Set;

use self::set::{Listing, SetPlace};

/// The dataset's name, and that of its folder in the user's data directory.
pub const NAME: &str = "imagenet";

/// Labels and their number are stored in 16 bits.
const MAX_CLASSES: usize = u16::MAX as usize;

const TRAIN_FOLDER: &str = "train";
const TRAIN_ARCHIVE: &str = "ILSVRC2012_img_train.tar";
const VALIDATION_FOLDER: &str = "val";
const VALIDATION_ARCHIVE: &str = "ILSVRC2012_img_val.tar";
const DEVKIT_FOLDER: &str = "ILSVRC2012_devkit_t12";
const DEVKIT_ARCHIVE: &str = "ILSVRC2012_devkit_t12.tar.gz";

/// A copy of ImageNet on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    root: PathBuf,
    train: SetPlace,
    validation: Option<SetPlace>,
    devkit: Option<devkit::Place>,
}

/// The images of ImageNet and what they show.
pub(crate) struct Imagenet {
    /// The classes' names, by label.
    pub(crate) class_names: Vec<String>,
    pub(crate) train: Set,
    /// The test set: the publishers' validation set, on which everybody tests.
    pub(crate) test: Option<Set>,
}

impl Place {
    /// The copy in the folder `imagenet` of `directory`, or else in `directory` itself.
    pub fn find(directory: Option<&Path>) -> Result<Self, ImagenetError> {
        let folders = directory.map(|directory| [directory.join(NAME), directory.to_owned()]);
        let folders: Vec<_> = folders.into_iter().flatten().collect();
        let found = folders.iter().find_map(|root| {
            let train = SetPlace::find(root, TRAIN_FOLDER, TRAIN_ARCHIVE)?;
            Some(Self {
                train,
                validation: SetPlace::find(root, VALIDATION_FOLDER, VALIDATION_ARCHIVE),
                devkit: devkit::Place::find(root),
                root: root.clone(),
            })
        });
        found.ok_or(ImagenetError::Missing(folders))
    }

    /// The folder that all files lie in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every file that decides what the dataset is, relative to the root, in an order of its own.
    pub fn files(&self) -> Result<Vec<PathBuf>, ImagenetError> {
        let mut files = self.train.files(&self.root)?;
        if let Some(validation) = &self.validation {
            files.extend(validation.files(&self.root)?);
        }
        if let Some(devkit) = &self.devkit {
            files.extend(devkit.files());
        }
        Ok(files)
    }

    /// Lists the images and reads what the development kit says of them.
    pub(crate) fn open(&self) -> Result<Imagenet, ImagenetError> {
        let devkit = self.devkit.as_ref().map(devkit::Place::read).transpose()?;
        let Listing::ByClass(train) = self.train.list()? else {
            return Err(ImagenetError::Misplaced {
                path: self.train.path().to_owned(),
                problem: "training images must lie in one folder for each class".to_owned(),
            });
        };
        let synsets: Vec<String> = train.iter().map(|class| class.name.clone()).collect();
        if synsets.len() > MAX_CLASSES {
            return Err(ImagenetError::Count {
                path: self.train.path().to_owned(),
                problem: format!("has {} classes, at most {MAX_CLASSES} fit", synsets.len()),
            });
        }
        let test = match &self.validation {
            None => None,
            Some(place) => Some(test_set(place, devkit.as_ref(), &synsets)?),
        };
        Ok(Imagenet {
            class_names: match &devkit {
                Some(devkit) => devkit.class_names(&synsets),
                None => synsets.clone(),
            },
            train: Set::of_classes(&self.train, train, |label, _| Some(label), &synsets)?,
            test,
        })
    }
}

fn test_set(
    place: &SetPlace,
    devkit: Option<&devkit::Devkit>,
    synsets: &[String],
) -> Result<Set, ImagenetError> {
    match place.list()? {
        Listing::ByClass(classes) => {
            let label = |_, name: &String| {
                let label = synsets.binary_search(name).ok()?;
                Some(label as u16)
            };
            Ok(Set::of_classes(place, classes, label, synsets)?.by_name())
        }
        Listing::Flat(files) => {
            let no_labels = || ImagenetError::NoLabels {
                path: place.path().to_owned(),
            };
            let labels = devkit.ok_or_else(no_labels)?.labels(synsets, files.len())?;
            Set::flat(place, files, labels)
        }
    }
}

#[cfg(test)]
mod tests;
