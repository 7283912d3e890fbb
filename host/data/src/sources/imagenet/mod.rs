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
mod mat;
mod set;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_core::settings::{Node, Reader, Value, integer, string};
use assay_core::{Complaints, Diagnostic, ObjectHash, Place, Placed};
use serde::{Deserialize, Serialize};

use self::devkit::Devkit;
use self::set::{Listing, Set};
use super::image_files::{ImageSettings, check_size, compare};
use super::images::{ImageSet, ImageStorage, OpenDataset};
use super::settings::{FileHashes, Planning, SourceKind, SourceSettings, placed};
use super::{DatasetSource, ScalingChoice, Source, SourceFile, hashed_file};
use crate::error::DatasetError;
use crate::image::{BadImagePolicy, DEFAULT_SIZE, Form, Geometry};
use crate::obtain::{Progress, Search};

/// The dataset's name, and that of its folder in the user's data directory.
const NAME: &str = "imagenet";

/// Labels and their number are stored in 16 bits.
const MAX_CLASSES: usize = u16::MAX as usize;

const TRAIN_FOLDER: &str = "train";
const TRAIN_ARCHIVE: &str = "ILSVRC2012_img_train.tar";
const VALIDATION_FOLDER: &str = "val";
const VALIDATION_ARCHIVE: &str = "ILSVRC2012_img_val.tar";
const DEVKIT_FOLDER: &str = "ILSVRC2012_devkit_t12";
const DEVKIT_ARCHIVE: &str = "ILSVRC2012_devkit_t12.tar.gz";

/// ImageNet, and what is made of its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagenetSource {
    /// Identifies the content of all files of the user's copy. Whoever runs the stage checks it;
    /// preparing reads what it finds.
    pub files: ObjectHash,
    /// Rows and columns of the prepared images.
    pub size: u32,
    /// The way in which images become square.
    pub geometry: Geometry,
    /// The treatment of images that cannot be decoded.
    pub on_bad_image: BadImagePolicy,
    /// The number of images of the training set that form the test set, where there is no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<u32>,
}

pub(super) const KIND: SourceKind = SourceKind {
    name: NAME,
    settings: &["path", "test", "size", "geometry", "on_bad_image"],
    read: |reader, _, out| Some(read_settings(reader, out)),
};

#[derive(Debug)]
struct ImagenetSettings {
    stage: Place,
    path: Option<Placed<String>>,
    test: Option<u32>,
    images: ImageSettings,
}

fn read_settings(reader: &mut Reader<'_>, out: &mut Complaints) -> Arc<dyn SourceSettings> {
    Arc::new(ImagenetSettings {
        stage: reader.place.clone(),
        path: reader.optional("path", out, placed(string)),
        test: reader.optional("test", out, drawn_test),
        images: ImageSettings::read(reader, out),
    })
}

fn drawn_test(node: &Node) -> Result<u32, Diagnostic> {
    if let Value::Array(_) = node.value {
        let message = "the test set of ImageNet is in its own files: `test` can only be a number \
                       of images to draw from the training set";
        return Err(Diagnostic::new(message, &node.place));
    }
    integer(1..=u32::MAX.into())(node).map(|count| count as u32)
}

impl SourceSettings for ImagenetSettings {
    fn data_path(&self) -> Option<&str> {
        self.path.as_ref().map(|path| path.value.as_str())
    }

    fn complete(&self, planning: &mut Planning<'_>) -> Result<DatasetSource, Diagnostic> {
        let own = self.data_path().map(|path| planning.base.join(path));
        let directory = own.as_deref().or(planning.data_dir);
        let place = self.path.as_ref().map_or(&self.stage, |path| &path.place);
        let files = hash(directory, planning.hashes);
        Ok(DatasetSource::Imagenet(ImagenetSource {
            files: files.map_err(|error| Diagnostic::new(error.to_string(), place))?,
            size: self.images.size.unwrap_or(DEFAULT_SIZE),
            geometry: self.images.geometry,
            on_bad_image: self.images.on_bad_image,
            test: self.test,
        }))
    }
}

/// One hash of the copy of ImageNet in `directory`.
fn hash(directory: Option<&Path>, hashes: &mut dyn FileHashes) -> Result<ObjectHash, DatasetError> {
    let copy = LocalCopy::find(directory)?;
    let files = copy.files()?;
    hashes.tree(&copy.root, &files).map_err(DatasetError::Hash)
}

impl Source for ImagenetSource {
    fn name(&self) -> &str {
        NAME
    }

    fn files(&self) -> Vec<SourceFile> {
        vec![hashed_file(NAME, self.files)]
    }

    fn image(&self) -> Option<[usize; 3]> {
        Some([3, self.size as usize, self.size as usize])
    }

    fn classes(&self) -> Option<u16> {
        None
    }

    fn default_scaling(&self) -> ScalingChoice {
        ScalingChoice::UnitInterval
    }

    fn check(&self) -> Result<(), DatasetError> {
        check_size(NAME, self.size)
    }

    fn check_unchanged(
        &self,
        directory: Option<&Path>,
        hashes: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        let found = hash(directory, hashes)?;
        compare(self.files, found, || "its copy of ImageNet".to_owned())
    }

    fn open(
        &self,
        search: Search<'_>,
        _: &mut dyn FnMut(Progress<'_>),
    ) -> Result<OpenDataset, DatasetError> {
        let Images {
            class_names,
            train,
            test,
        } = LocalCopy::find(search.directory)?.open()?;
        let form = Form {
            size: Some(self.size),
            geometry: self.geometry,
            grey: false,
        };
        Ok(OpenDataset {
            class_names,
            train: Box::new(train),
            test: test.map(|test| Box::new(test) as Box<dyn ImageSet>),
            drawn_test: self.test,
            storage: ImageStorage::Files(form, self.on_bad_image),
            origins: Vec::new(),
        })
    }
}

/// A copy of ImageNet on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LocalCopy {
    /// The folder that all files lie in.
    root: PathBuf,
    train: Location,
    validation: Option<Location>,
    devkit: Option<Location>,
}

/// A part of ImageNet, extracted or as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Location {
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

    fn path(&self) -> &Path {
        let (Self::Folder(path) | Self::Archive(path)) = self;
        path
    }
}

/// The images of ImageNet and what they show.
struct Images {
    /// The classes' names, by label.
    class_names: Vec<String>,
    train: Set,
    /// The test set: the publishers' validation set, on which everybody tests.
    test: Option<Set>,
}

impl LocalCopy {
    /// The copy in the folder `imagenet` of `directory`, or else in `directory` itself.
    fn find(directory: Option<&Path>) -> Result<Self, DatasetError> {
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

    /// Every file that decides what the dataset is, relative to the root, in an order of its own.
    fn files(&self) -> Result<Vec<PathBuf>, DatasetError> {
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
    fn open(&self) -> Result<Images, DatasetError> {
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

#[cfg(test)]
mod tests;
