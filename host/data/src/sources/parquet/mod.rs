//! Images and labels in the columns of Parquet files, as Hugging Face keeps datasets: a structure
//! column with the encoded `bytes` of each image, and a column of whole numbers.
//!
//! Labels are read once, images stream row group by row group. What the classes are called is
//! read from the files' own metadata. Nothing here decodes an image.

mod classes;
mod find;
mod labels;
mod set;

use std::path::Path;

use assay_core::settings::{Node, Reader, array_or, string, strings};
use assay_core::{Complaints, Diagnostic, Placed};
use serde::{Deserialize, Serialize};

use self::find::find;
use self::set::Set;
use super::hashed_file::HashedFile;
use super::image_files::{ImageSettings, channels, check_channels, check_size, drawn_test};
use super::images::{BadImagePolicy, ImageSet, ImageStorage, OpenDataset};
use super::settings::{
    FileHashes, SourceKind, SourceSettings, class_count, class_names, needed, placed,
};
use super::{DatasetSource, Facts, ScalingChoice, Source, SourceFile};
use crate::error::DatasetError;
use crate::image::{Form, Geometry};
use crate::obtain::{Progress, Search};

/// The form in messages.
const FORM: &str = "Parquet files";

/// A user's own dataset in Parquet files, and what is made of its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParquetSource {
    /// The dataset's name.
    pub name: String,
    /// The files of the training set, in order. Whoever runs the stage checks their hashes;
    /// preparing reads what it finds.
    pub train: Vec<HashedFile>,
    /// The files of the test set, in order; empty where it is drawn from the training set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_files: Vec<HashedFile>,
    /// The number of images of the training set that form the test set, where it has no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<u32>,
    /// The column of the images: a structure with `bytes`, or the bytes themselves.
    pub image_column: String,
    /// The column of the labels, whole numbers from 0.
    pub label_column: String,
    /// The classes' names, by label; else those that the files state, else the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
    /// The number of classes, where no names tell it; else one more than the largest label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<u16>,
    /// 3 for colour, 1 for grey.
    pub channels: u32,
    /// Rows and columns of the prepared images; else images stay as they are, and must be equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// The way in which images become square, where a size is set.
    pub geometry: Geometry,
    /// The treatment of images that cannot be decoded.
    pub on_bad_image: BadImagePolicy,
}

pub(super) const KIND: SourceKind = SourceKind {
    name: "parquet",
    settings: &[
        "path",
        "classes",
        "test",
        "size",
        "geometry",
        "on_bad_image",
        "train",
        "image_column",
        "label_column",
        "class_names",
        "channels",
    ],
    read: read_settings,
};

/// The test set, as written.
enum TestSet {
    /// Files of its own.
    Files(Placed<Vec<String>>),
    /// So many images of the training set.
    Drawn(u32),
}

fn read_settings(
    reader: &mut Reader<'_>,
    stage: &str,
    out: &mut Complaints,
) -> Option<SourceSettings> {
    let path = reader.optional("path", out, string);
    let train = needed("train", FORM, reader, out, placed(strings));
    let message = "a dataset in Parquet files needs `test`: its files, or a number of images to \
                   draw from the training set";
    let missing = |reader: &Reader<'_>| Diagnostic::new(message, &reader.place);
    let test = reader.required_or("test", missing, out, test_set);
    let mut column = |key, default: &str| {
        let column = reader.optional(key, out, string);
        column.unwrap_or_else(|| default.to_owned())
    };
    let [image_column, label_column] = [
        column("image_column", "image"),
        column("label_column", "label"),
    ];
    let class_names = reader.optional("class_names", out, class_names);
    let classes = reader.optional("classes", out, class_count);
    let channels = reader.optional("channels", out, channels).unwrap_or(3);
    let images = ImageSettings::read(reader, out);
    let (name, train, test) = (stage.to_owned(), train?, test?);
    // Files without a folder are looked for beside the pipeline file.
    let path = path.unwrap_or_else(|| ".".to_owned());
    Some(SourceSettings::new(Some(path.clone()), move |planning| {
        let folder = planning.base.join(&path);
        let mut find_all = |patterns: &Placed<Vec<String>>| {
            let files = hash_files(&folder, &patterns.value, planning.hashes);
            files.map_err(|error| Diagnostic::new(error.to_string(), &patterns.place))
        };
        let train = find_all(&train)?;
        let (test_files, test) = match &test {
            TestSet::Files(patterns) => (find_all(patterns)?, None),
            TestSet::Drawn(count) => (Vec::new(), Some(*count)),
        };
        Ok(DatasetSource::Parquet(ParquetSource {
            name: name.clone(),
            train,
            test_files,
            test,
            image_column: image_column.clone(),
            label_column: label_column.clone(),
            class_names: class_names.clone(),
            classes,
            channels,
            size: images.size,
            geometry: images.geometry,
            on_bad_image: images.on_bad_image,
        }))
    }))
}

fn test_set(node: &Node) -> Result<TestSet, Diagnostic> {
    array_or(
        node,
        |node| placed(strings)(node).map(TestSet::Files),
        |node| drawn_test(node).map(TestSet::Drawn),
    )
}

/// The files in `folder` that the patterns match, hashed.
fn hash_files(
    folder: &Path,
    patterns: &[String],
    hashes: &mut dyn FileHashes,
) -> Result<Vec<HashedFile>, DatasetError> {
    let mut files = Vec::new();
    for pattern in patterns {
        for path in find(folder, pattern)? {
            files.push(HashedFile::new(path, folder, hashes)?);
        }
    }
    Ok(files)
}

impl ParquetSource {
    fn all_files(&self) -> impl Iterator<Item = &HashedFile> {
        self.train.iter().chain(&self.test_files)
    }

    fn refuse(&self, parameter: &'static str, problem: String) -> DatasetError {
        DatasetError::parameter(&self.name, parameter, problem)
    }
}

impl Source for ParquetSource {
    fn facts(&self) -> Facts<'_> {
        let names = self.class_names.as_ref();
        Facts {
            name: &self.name,
            files: self.all_files().map(SourceFile::from).collect(),
            image: None,
            classes: names.map(|names| names.len() as u16).or(self.classes),
            scaling: ScalingChoice::UnitInterval,
        }
    }

    fn check(&self) -> Result<(), DatasetError> {
        check_channels(&self.name, self.channels)?;
        let names = self.class_names.as_ref().map_or(1, Vec::len);
        if !(1..=usize::from(u16::MAX)).contains(&names) {
            let problem = format!("are {names}, must be from 1 to {}", u16::MAX);
            return Err(self.refuse("class_names", problem));
        }
        self.size
            .map_or(Ok(()), |size| check_size(&self.name, size))
    }

    fn check_unchanged(
        &self,
        directory: Option<&Path>,
        hashes: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        self.all_files()
            .try_for_each(|file| file.check_unchanged(directory, hashes))
    }

    fn open(
        &self,
        search: Search<'_>,
        _: &mut dyn FnMut(Progress<'_>),
    ) -> Result<OpenDataset, DatasetError> {
        let folder = search.directory.unwrap_or(Path::new("."));
        let Images {
            class_names,
            train,
            test,
        } = open(self, folder)?;
        let form = Form {
            size: self.size,
            geometry: self.geometry,
            grey: self.channels == 1,
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

/// The sets of a dataset, and what their images show.
struct Images {
    /// The classes' names, by label.
    class_names: Vec<String>,
    train: Set,
    test: Option<Set>,
}

/// Opens the files of `source` in `folder`, reads their labels and checks them.
fn open(source: &ParquetSource, folder: &Path) -> Result<Images, DatasetError> {
    let train = Set::open(&source.train, folder, source)?;
    let test = (!source.test_files.is_empty())
        .then(|| Set::open(&source.test_files, folder, source))
        .transpose()?;
    let class_names = classes::names(source, &train, test.as_ref());
    for set in [Some(&train), test.as_ref()].into_iter().flatten() {
        set.check_labels(&source.label_column, class_names.len())?;
    }
    Ok(Images {
        class_names,
        train,
        test,
    })
}

#[cfg(test)]
mod tests;
