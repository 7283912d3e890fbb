//! The user's own dataset in IDX format: four files, as MNIST has them.

use std::path::{Component, Path};

use assay_core::settings::{Reader, string};
use assay_core::{Complaints, Diagnostic, ObjectHash, Placed};
use serde::{Deserialize, Serialize};

use super::images::{OpenDataset, PixelSet};
use super::settings::{
    FileHashes, SourceKind, SourceSettings, class_count, class_names, needed, placed,
};
use super::{DatasetSource, Digest, Facts, ScalingChoice, Source, SourceFile, numbered_classes};
use crate::error::DatasetError;
use crate::idx::{check_labels, read_images, read_labels};
use crate::obtain::{
    Expected, MAX_FILE_BYTES, ObtainError, ObtainedFile, Progress, Publication, Search, obtain,
    read_in,
};
use crate::table::ImageShape;

/// Labels are single bytes in IDX files.
const MOST_CLASSES: u16 = 256;

/// The format in messages.
const FORMAT: &str = "IDX format";

/// The four files of a dataset in IDX format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdxFile {
    /// Images of the training set.
    TrainImages,
    /// Labels of the training set.
    TrainLabels,
    /// Images of the test set.
    TestImages,
    /// Labels of the test set.
    TestLabels,
}

impl IdxFile {
    /// All four, in the order in which they are fetched and reported.
    pub(crate) const ALL: [Self; 4] = [
        Self::TrainImages,
        Self::TrainLabels,
        Self::TestImages,
        Self::TestLabels,
    ];

    /// The standard file name, without `.gz`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }
}

/// A user's own dataset in IDX format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxSource {
    /// The dataset's name, and that of its folder in the user's data directory.
    pub name: String,
    /// The number of classes, from 1 to 256.
    pub classes: u16,
    /// The classes' names by label; none where nobody named them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// The hashes of the four files.
    pub files: IdxHashes,
}

/// The BLAKE3 of the uncompressed content of each of the four files: computed when the pipeline is
/// planned and checked when the dataset is read, so that the plan, not a path, decides what the
/// dataset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxHashes {
    /// Images of the training set.
    #[serde(rename = "train-images-idx3-ubyte")]
    pub train_images: ObjectHash,
    /// Labels of the training set.
    #[serde(rename = "train-labels-idx1-ubyte")]
    pub train_labels: ObjectHash,
    /// Images of the test set.
    #[serde(rename = "t10k-images-idx3-ubyte")]
    pub test_images: ObjectHash,
    /// Labels of the test set.
    #[serde(rename = "t10k-labels-idx1-ubyte")]
    pub test_labels: ObjectHash,
}

impl IdxHashes {
    fn get(&self, file: IdxFile) -> ObjectHash {
        match file {
            IdxFile::TrainImages => self.train_images,
            IdxFile::TrainLabels => self.train_labels,
            IdxFile::TestImages => self.test_images,
            IdxFile::TestLabels => self.test_labels,
        }
    }

    /// The hashes of the four files in `directory`.
    pub(crate) fn of(directory: &Path) -> Result<Self, DatasetError> {
        let hash = |file: IdxFile| match read_in(directory, file.name()) {
            Ok(bytes) => Ok(ObjectHash::of(&bytes)),
            Err((path, failure)) => {
                let [train_images, train_labels, test_images, test_labels] =
                    IdxFile::ALL.map(IdxFile::name);
                let problem = format!(
                    "{failure}; a dataset in IDX format needs {train_images}, {train_labels}, \
                     {test_images} and {test_labels} in one directory, plain or with .gz added \
                     to the name"
                );
                Err(DatasetError::file(&path, problem))
            }
        };
        Ok(Self {
            train_images: hash(IdxFile::TrainImages)?,
            train_labels: hash(IdxFile::TrainLabels)?,
            test_images: hash(IdxFile::TestImages)?,
            test_labels: hash(IdxFile::TestLabels)?,
        })
    }
}

pub(super) const KIND: SourceKind = SourceKind {
    name: "idx",
    settings: &["path", "classes", "class_names"],
    read: read_settings,
};

fn read_settings(
    reader: &mut Reader<'_>,
    stage: &str,
    out: &mut Complaints,
) -> Option<SourceSettings> {
    let path = needed("path", FORMAT, reader, out, placed(string));
    let (classes, class_names) = read_classes(reader, out)?;
    let (name, path) = (stage.to_owned(), path?);
    Some(SourceSettings::new(
        Some(path.value.clone()),
        move |planning| {
            let files = IdxHashes::of(&planning.base.join(&path.value));
            Ok(DatasetSource::Idx(IdxSource {
                name: name.clone(),
                classes,
                class_names: class_names.clone(),
                files: files.map_err(|error| Diagnostic::new(error.to_string(), &path.place))?,
            }))
        },
    ))
}

/// The number of classes, and their names if there are any: either tells the number.
fn read_classes(reader: &mut Reader<'_>, out: &mut Complaints) -> Option<(u16, Vec<String>)> {
    let classes = reader.entry("classes");
    let classes = classes.map(|entry| placed(class_count)(&entry.node));
    let names = reader.entry("class_names");
    let names = names.map(|entry| placed(class_names)(&entry.node));
    let (classes, names) = match (classes.transpose(), names.transpose()) {
        (Ok(classes), Ok(names)) => (classes, names.filter(|names| !names.value.is_empty())),
        (classes, names) => {
            out.extend(classes.err());
            out.extend(names.err());
            return None;
        }
    };
    let classes = match (classes, &names) {
        (Some(classes), _) => classes,
        (None, Some(names)) => Placed {
            value: names.value.len() as u16,
            place: names.place.clone(),
        },
        (None, None) => {
            let message = format!("a dataset in {FORMAT} needs `classes`");
            out.push(Diagnostic::new(message, &reader.place));
            return None;
        }
    };
    let count = classes.value;
    if let Some(names) = &names
        && names.value.len() != usize::from(count)
    {
        let message = format!("{} names for {count} classes", names.value.len());
        out.push(Diagnostic::new(message, &names.place));
        return None;
    }
    if count > MOST_CLASSES {
        let message = format!("`classes` is {count}, and labels in IDX format are bytes");
        out.push(Diagnostic::new(message, &classes.place));
        return None;
    }
    Some((count, names.map(|names| names.value).unwrap_or_default()))
}

impl IdxSource {
    fn file(&self, file: IdxFile) -> SourceFile {
        SourceFile {
            name: file.name().to_owned(),
            digest: Digest::Blake3(self.files.get(file)),
            bytes: None,
        }
    }

    fn obtain(
        &self,
        search: Search<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<[ObtainedFile; 4], ObtainError> {
        let wanted = IdxFile::ALL.map(|file| Expected {
            name: file.name(),
            limit: MAX_FILE_BYTES,
            digest: self.file(file).digest,
        });
        obtain(&self.name, wanted, &Publication::NONE, search, progress)
    }

    fn refuse(&self, parameter: &'static str, problem: String) -> DatasetError {
        DatasetError::parameter(&self.name, parameter, problem)
    }
}

impl Source for IdxSource {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: &self.name,
            files: IdxFile::ALL.map(|file| self.file(file)).into(),
            image: None,
            classes: Some(self.classes),
            scaling: ScalingChoice::UnitInterval,
        }
    }

    fn check(&self) -> Result<(), DatasetError> {
        let mut components = Path::new(&self.name).components();
        let plain = matches!(
            (components.next(), components.next()),
            (Some(Component::Normal(name)), None) if name == self.name.as_str()
        );
        if !plain {
            let problem = "must be a plain folder name, for the files are looked for in a folder \
                           of that name";
            return Err(self.refuse("name", problem.to_owned()));
        }
        if !(1..=MOST_CLASSES).contains(&self.classes) {
            let problem = format!("is {}, must be from 1 to {MOST_CLASSES}", self.classes);
            return Err(self.refuse("classes", problem));
        }
        let (names, classes) = (self.class_names.len(), usize::from(self.classes));
        if names != 0 && names != classes {
            let problem = format!("has {names} names for {classes} classes");
            return Err(self.refuse("class_names", problem));
        }
        Ok(())
    }

    /// Files are accepted by their hashes alone.
    fn check_unchanged(
        &self,
        _: Option<&Path>,
        _: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        Ok(())
    }

    fn open(
        &self,
        search: Search<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<OpenDataset, DatasetError> {
        let files = self.obtain(search, progress)?;
        let class_names = if self.class_names.is_empty() {
            numbered_classes(self.classes)
        } else {
            self.class_names.clone()
        };
        open_idx(&self.name, class_names, files)
    }
}

/// Reads the four files, in the order of [`IdxFile::ALL`].
pub(super) fn open_idx(
    dataset: &str,
    class_names: Vec<String>,
    files: [ObtainedFile; 4],
) -> Result<OpenDataset, DatasetError> {
    let classes = class_names.len() as u16;
    let origins = files.each_ref().map(ObtainedFile::origin).into();
    let [train_images, train_labels, test_images, test_labels] = files;
    let train = read_set(&train_images, &train_labels, classes)?;
    let test = read_set(&test_images, &test_labels, classes)?;
    if train.shape != test.shape {
        let size = |set: &PixelSet| [set.shape.height(), set.shape.width()];
        return Err(DatasetError::SizesDiffer {
            dataset: dataset.to_owned(),
            train: size(&train),
            test: size(&test),
        });
    }
    Ok(OpenDataset::of_pixels(class_names, [train, test], origins))
}

fn read_set(
    images_file: &ObtainedFile,
    labels_file: &ObtainedFile,
    classes: u16,
) -> Result<PixelSet, DatasetError> {
    let images = read_images(&*images_file.bytes, MAX_FILE_BYTES)
        .map_err(|fault| images_file.fault(fault))?;
    let labels = read_labels(&*labels_file.bytes, MAX_FILE_BYTES)
        .and_then(|labels| check_labels(images.count, &labels, classes).map(|()| labels))
        .map_err(|fault| labels_file.fault(fault))?;
    let shape = ImageShape::new(1, images.rows, images.columns)
        .map_err(|fault| images_file.unusable(&fault))?;
    Ok(PixelSet {
        shape,
        pixels: images.pixels,
        labels: labels.into_iter().map(u16::from).collect(),
    })
}

#[cfg(test)]
mod tests;
