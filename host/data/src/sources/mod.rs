//! The sources of datasets: a module for each source, and the one list of them.
//!
//! A new source is a module with a [`SourceKind`], which reads its settings, and a [`Source`],
//! which answers for it once everything is decided; and an entry in the list below.

mod class_folders;
mod csv;
mod folder;
mod hashed_file;
mod idx;
mod image_files;
mod imagenet;
mod images;
mod known;
mod parameters;
mod parquet;
mod settings;

use std::path::Path;

use assay_core::ObjectHash;
use serde::{Deserialize, Serialize};

pub use self::csv::CsvSource;
pub use self::folder::FolderSource;
pub use self::hashed_file::HashedFile;
pub use self::idx::{IdxHashes, IdxSource};
pub use self::imagenet::ImagenetSource;
pub use self::images::BadImagePolicy;
pub use self::parameters::{DEFAULT_VALIDATION, DatasetParameters, Limit, ScalingChoice};
pub use self::parquet::ParquetSource;
pub use self::settings::{DatasetSettings, FileHashes, HashError, Planning};
pub use crate::digest::Digest;

pub(crate) use self::images::{ImageSet, ImageStorage, OpenDataset};
#[cfg(test)]
pub(crate) use self::{idx::IdxFile, images::Stream};

use self::settings::{SourceKind, SourceSettings};
use crate::error::DatasetError;
use crate::obtain::{Progress, Search};

/// A file that a source must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name.
    pub name: String,
    /// The digest that its uncompressed content must have.
    pub digest: Digest,
    /// The size of that content in bytes, where the publisher states it.
    pub bytes: Option<u64>,
}

/// The facts about a source that are known before a file is read.
struct Facts<'a> {
    /// The dataset's name.
    name: &'a str,
    /// The files that the source must have, each with the digest of its content.
    files: Vec<SourceFile>,
    /// Channels, height and width of an image.
    image: Option<[usize; 3]>,
    /// The number of classes.
    classes: Option<u16>,
    /// The scaling where the pipeline file states none.
    scaling: ScalingChoice,
}

/// A source about which everything is decided.
trait Source {
    /// The facts that are known before a file is read.
    fn facts(&self) -> Facts<'_>;

    /// Refuses parameters that no dataset has.
    fn check(&self) -> Result<(), DatasetError>;

    /// The user's files are those that were planned with. A source that checks what it reads has
    /// nothing to do here.
    fn check_unchanged(
        &self,
        directory: Option<&Path>,
        hashes: &mut dyn FileHashes,
    ) -> Result<(), DatasetError>;

    /// Obtains the files, and opens the sets of images in them.
    fn open(
        &self,
        search: Search<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<OpenDataset, DatasetError>;
}

/// Makes the list of sources: the type of a source in documents, the kinds that pipeline files
/// name, and the source behind each value. A known dataset is all in its name; any other source
/// has parameters.
macro_rules! sources {
    (
        known { $($(#[$known_doc:meta])* $known:ident = $dataset:path,)* }
        own { $($(#[$own_doc:meta])* $own:ident($parameters:ty) = $kind:path,)* }
    ) => {
        /// The origin of a dataset's images: in text the name of a known dataset, such as
        /// `"mnist"`, or the source with its parameters, such as `{"idx": {…}}`.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum DatasetSource {
            $($(#[$known_doc])* $known,)*
            $($(#[$own_doc])* $own($parameters),)*
        }

        /// Every kind of source.
        static KINDS: &[SourceKind] = &[
            $(SourceKind {
                name: $dataset.name,
                settings: &[],
                read: |_, _, _| Some(SourceSettings::new(None, |_| Ok(DatasetSource::$known))),
            },)*
            $($kind,)*
        ];

        impl DatasetSource {
            fn source(&self) -> &dyn Source {
                match self {
                    $(Self::$known => &$dataset,)*
                    $(Self::$own(source) => source,)*
                }
            }
        }
    };
}

sources! {
    known {
        /// MNIST.
        Mnist = known::MNIST,
        /// Fashion-MNIST.
        FashionMnist = known::FASHION_MNIST,
        /// CIFAR-10.
        Cifar10 = known::CIFAR10,
    }
    own {
        /// The user's own files in IDX format.
        Idx(IdxSource) = idx::KIND,
        /// ImageNet (ILSVRC2012), from the user's copy.
        Imagenet(ImagenetSource) = imagenet::KIND,
        /// Encoded images and labels in the columns of the user's Parquet files, as Hugging Face
        /// keeps them.
        Parquet(ParquetSource) = parquet::KIND,
        /// Pixels and labels in the user's CSV files.
        Csv(CsvSource) = csv::KIND,
        /// The user's image files in folders of their classes.
        Folder(FolderSource) = folder::KIND,
    }
}

impl DatasetSource {
    /// The dataset's name.
    pub fn name(&self) -> &str {
        self.source().facts().name
    }

    /// The files that the source must have, each with the digest of its content. A copy of ImageNet
    /// counts as one.
    pub fn files(&self) -> Vec<SourceFile> {
        self.source().facts().files
    }

    /// One hash for the content that the source must have: the BLAKE3 of a list with the name and the
    /// digest of each file. What is made of the content is no part of it.
    pub fn content(&self) -> ObjectHash {
        let files = self.files();
        let lines = files.iter().map(|file| {
            let (_, digest) = file.digest.parts();
            format!("{digest}  {}\n", file.name)
        });
        ObjectHash::of(lines.collect::<String>().as_bytes())
    }

    /// Channels, height and width of an image, where they are known before a file is read.
    pub fn image(&self) -> Option<[usize; 3]> {
        self.source().facts().image
    }

    /// The number of classes, where it is known before a file is read.
    pub fn classes(&self) -> Option<u16> {
        self.source().facts().classes
    }

    /// The files in `directory` are those that were planned with. Sources that check what they
    /// read are not looked at.
    pub fn check_unchanged(
        &self,
        directory: Option<&Path>,
        hashes: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        self.source().check_unchanged(directory, hashes)
    }

    /// Refuses parameters that no dataset has.
    pub(crate) fn check(&self) -> Result<(), DatasetError> {
        self.source().check()
    }

    /// Obtains the files, and opens the sets of images in them.
    pub(crate) fn open(
        &self,
        search: Search<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<OpenDataset, DatasetError> {
        self.source().open(search, progress)
    }

    fn default_scaling(&self) -> ScalingChoice {
        self.source().facts().scaling
    }
}

/// The names of `classes` classes that nobody named: their labels.
fn numbered_classes(classes: u16) -> Vec<String> {
    (0..classes).map(|label| label.to_string()).collect()
}

#[cfg(test)]
mod tests;
