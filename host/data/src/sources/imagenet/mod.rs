//! ImageNet (ILSVRC2012), from the user's copy: what a pipeline file says of it, and its identity.

mod archive;
mod copy;
mod devkit;
mod mat;
mod set;

use std::path::Path;

use assay_core::settings::{Node, Reader, Value, integer, string};
use assay_core::{Complaints, Diagnostic, ObjectHash, Place, Placed};
use serde::{Deserialize, Serialize};

use self::copy::{Images, LocalCopy, NAME};
use super::hashed_file::compare;
use super::image_files::{ImageSettings, check_size};
use super::images::{BadImagePolicy, ImageSet, ImageStorage, OpenDataset};
use super::settings::{FileHashes, SourceKind, SourceSettings, placed};
use super::{DatasetSource, Digest, Facts, ScalingChoice, Source, SourceFile};
use crate::error::DatasetError;
use crate::image::{DEFAULT_SIZE, Form, Geometry};
use crate::obtain::{Progress, Search};

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
    read: |reader, stage, out| Some(read_settings(reader, stage, out)),
};

fn read_settings(reader: &mut Reader<'_>, stage: &str, out: &mut Complaints) -> SourceSettings {
    let path = reader.optional("path", out, placed(string));
    let test = reader.optional("test", out, placed(drawn_test));
    let images = ImageSettings::read(reader, out);
    let data_path = path.as_ref().map(|path| path.value.clone());
    let (stage, header) = (stage.to_owned(), reader.place.clone());
    let place = path.map_or(header.clone(), |path| path.place);
    SourceSettings::new(data_path.clone(), move |planning| {
        let own = data_path.as_ref().map(|path| planning.base.join(path));
        let at_place = |error: DatasetError| Diagnostic::new(error.to_string(), &place);
        let copy = LocalCopy::find(own.as_deref().or(planning.data_dir)).map_err(at_place)?;
        check_test(&copy, &stage, &header, test.as_ref())?;
        Ok(DatasetSource::Imagenet(ImagenetSource {
            files: hash(&copy, planning.hashes).map_err(at_place)?,
            size: images.size.unwrap_or(DEFAULT_SIZE),
            geometry: images.geometry,
            on_bad_image: images.on_bad_image,
            test: test.as_ref().map(|test| test.value),
        }))
    })
}

/// Complains about a dataset without test set, or with two.
fn check_test(
    copy: &LocalCopy,
    stage: &str,
    header: &Place,
    test: Option<&Placed<u32>>,
) -> Result<(), Diagnostic> {
    let root = copy.root().display();
    match test {
        None if !copy.has_test_set() => {
            let message = format!(
                "the dataset `{stage}` needs `test`: the copy of ImageNet in {root} has no test set \
                 of its own"
            );
            Err(Diagnostic::new(message, header)
                .label("`test` is required")
                .help("`test = N` draws N images from the training set".to_owned()))
        }
        Some(test) if copy.has_test_set() => {
            let message = format!(
                "the dataset `{stage}` draws a `test` set, but the copy of ImageNet in {root} has \
                 one of its own"
            );
            Err(Diagnostic::new(message, &test.place).help("leave `test` out".to_owned()))
        }
        _ => Ok(()),
    }
}

fn drawn_test(node: &Node) -> Result<u32, Diagnostic> {
    if let Value::Array(_) = node.value {
        let message = "the test set of ImageNet is in its own files: `test` can only be a number \
                       of images to draw from the training set";
        return Err(Diagnostic::new(message, &node.place));
    }
    integer(1..=u32::MAX.into())(node).map(|count| count as u32)
}

/// One hash of the copy of ImageNet.
fn hash(copy: &LocalCopy, hashes: &mut dyn FileHashes) -> Result<ObjectHash, DatasetError> {
    let files = copy.files()?;
    hashes.tree(copy.root(), &files).map_err(DatasetError::Hash)
}

impl Source for ImagenetSource {
    fn facts(&self) -> Facts<'_> {
        let file = SourceFile {
            name: NAME.to_owned(),
            digest: Digest::Blake3(self.files),
            bytes: None,
        };
        Facts {
            name: NAME,
            files: vec![file],
            image: Some([3, self.size as usize, self.size as usize]),
            classes: None,
            scaling: ScalingChoice::UnitInterval,
        }
    }

    fn check(&self) -> Result<(), DatasetError> {
        check_size(NAME, self.size)
    }

    fn check_unchanged(
        &self,
        directory: Option<&Path>,
        hashes: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        let found = hash(&LocalCopy::find(directory)?, hashes)?;
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

#[cfg(test)]
mod tests;
