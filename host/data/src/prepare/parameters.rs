//! The parameters of the dataset stage: what decides its output, and nothing else.

use serde::{Deserialize, Serialize};

use crate::image::{Form, Geometry};
use crate::imagenet;
use crate::known::{self, IdxFile, KnownDataset, KnownFile};
use crate::source::{ContentHash, IdxHashes};

/// Images of the training set that are held out for validation, unless stated.
pub const DEFAULT_VALIDATION: u32 = 5000;

/// Everything that decides the output of the dataset stage.
///
/// Serialising fills in defaults and leaves out what is absent, so that equal parameters have
/// one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "GivenParameters")]
pub struct DatasetParameters {
    /// Where the images come from.
    pub source: DatasetSource,
    /// How many images of the training set form the validation split; 0 for none.
    pub validation: u32,
    /// Keys the draw of the validation split.
    pub split_seed: u64,
    /// Limits on the other two splits.
    pub limit: Limit,
    /// How pixels become numbers.
    pub scaling: ScalingChoice,
}

/// The parameters as they are given, before defaults.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenParameters {
    source: DatasetSource,
    validation: Option<u32>,
    #[serde(default)]
    split_seed: u64,
    #[serde(default)]
    limit: Limit,
    scaling: Option<ScalingChoice>,
}

impl From<GivenParameters> for DatasetParameters {
    fn from(given: GivenParameters) -> Self {
        Self {
            scaling: given
                .scaling
                .unwrap_or_else(|| given.source.default_scaling()),
            source: given.source,
            validation: given.validation.unwrap_or(DEFAULT_VALIDATION),
            split_seed: given.split_seed,
            limit: given.limit,
        }
    }
}

/// How pixels become numbers, before the statistics are known that it may need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScalingChoice {
    /// Pixels / 255.
    #[default]
    UnitInterval,
    /// (Pixels / 255 − mean) / standard deviation, for each channel, with the statistics of the
    /// training split, in all splits.
    Standardised,
}

/// The first so many images of a split.
///
/// Limits apply after the validation split is drawn: it is the same with and without them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Of what the validation split leaves of the training set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<u32>,
    /// Of the test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<u32>,
}

/// Where the images come from: in text, `"mnist"`, `"fashion-mnist"`, `"cifar10"`, `{"idx": {…}}`,
/// `{"imagenet": {…}}` or `{"parquet": {…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetSource {
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
    /// CIFAR-10.
    Cifar10,
    /// The user's own files in IDX format.
    Idx(IdxSource),
    /// ImageNet (ILSVRC2012), from the user's copy.
    Imagenet(ImagenetSource),
    /// Encoded images and labels in the columns of the user's Parquet files, as Hugging Face
    /// keeps them.
    Parquet(ParquetSource),
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

/// ImageNet, and what is made of its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagenetSource {
    /// Identifies the content of all files that [`imagenet::Place::files`] names. Whoever runs the
    /// stage checks it; [`prepare`](super::prepare()) reads what it finds.
    pub files: ContentHash,
    /// Rows and columns of the prepared images.
    pub size: u32,
    /// How images become square.
    pub geometry: Geometry,
    /// The treatment of images that cannot be decoded.
    pub on_bad_image: BadImagePolicy,
    /// How many images of the training set form the test set, where there is no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<u32>,
}

/// A user's own dataset in Parquet files, and what is made of its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParquetSource {
    /// The dataset's name.
    pub name: String,
    /// The files of the training set, in order. Whoever runs the stage checks their hashes;
    /// [`prepare`](super::prepare()) reads what it finds.
    pub train: Vec<ParquetFile>,
    /// The files of the test set, in order; empty where it is drawn from the training set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_files: Vec<ParquetFile>,
    /// How many images of the training set form the test set, where there are no files of it.
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
    /// How images become square, where a size is set.
    pub geometry: Geometry,
    /// The treatment of images that cannot be decoded.
    pub on_bad_image: BadImagePolicy,
}

/// One file of a dataset in Parquet files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParquetFile {
    /// Its path in the folder of the dataset; skipped images are named by it.
    pub path: String,
    /// The hash of its content.
    pub hash: ContentHash,
}

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

/// The digest of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// The publisher's SHA-256, in hexadecimal digits.
    Sha256(String),
    /// The BLAKE3-256 of the user's own file.
    Blake3(ContentHash),
}

impl Digest {
    /// The name of its function, and its hexadecimal digits.
    pub fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Sha256(digits) => ("sha256", digits.clone()),
            Self::Blake3(hash) => ("blake3", hash.to_string()),
        }
    }
}

/// The treatment of images that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadImagePolicy {
    /// There is no dataset.
    #[default]
    Error,
    /// It is left out, and the description says so. Splits and limits count it all the same.
    Skip,
}

/// The facts about a source: built in, or from the user.
pub(super) enum Facts<'a> {
    Idx(&'static KnownDataset<4>),
    Cifar(&'static KnownDataset<6>),
    Own(&'a IdxSource),
    Imagenet(&'a ImagenetSource),
    Parquet(&'a ParquetSource),
}

impl DatasetSource {
    pub(super) fn facts(&self) -> Facts<'_> {
        match self {
            Self::Mnist => Facts::Idx(&known::MNIST),
            Self::FashionMnist => Facts::Idx(&known::FASHION_MNIST),
            Self::Cifar10 => Facts::Cifar(&known::CIFAR10),
            Self::Idx(source) => Facts::Own(source),
            Self::Imagenet(source) => Facts::Imagenet(source),
            Self::Parquet(source) => Facts::Parquet(source),
        }
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        match self.facts() {
            Facts::Idx(known) => known.name,
            Facts::Cifar(known) => known.name,
            Facts::Own(source) => &source.name,
            Facts::Imagenet(_) => imagenet::NAME,
            Facts::Parquet(source) => &source.name,
        }
    }

    /// The files that the source must have, each with the digest of its content. A copy of ImageNet
    /// counts as one.
    pub fn files(&self) -> Vec<SourceFile> {
        let known = |files: &[KnownFile]| {
            let files = files.iter().map(|file| SourceFile {
                name: file.name.to_owned(),
                digest: Digest::Sha256(file.sha256.to_owned()),
                bytes: Some(file.bytes),
            });
            files.collect::<Vec<_>>()
        };
        let own = |name: &str, hash: ContentHash| SourceFile {
            name: name.to_owned(),
            digest: Digest::Blake3(hash),
            bytes: None,
        };
        match self {
            Self::Mnist => known(&known::MNIST.files),
            Self::FashionMnist => known(&known::FASHION_MNIST.files),
            Self::Cifar10 => known(&known::CIFAR10.files),
            Self::Idx(source) => {
                let files = IdxFile::ALL.into_iter();
                files
                    .map(|file| own(file.name(), source.files.get(file)))
                    .collect()
            }
            Self::Imagenet(source) => vec![own(imagenet::NAME, source.files)],
            Self::Parquet(source) => {
                let files = source.train.iter().chain(&source.test_files);
                files.map(|file| own(&file.path, file.hash)).collect()
            }
        }
    }

    /// One hash for the content that the source must have: the BLAKE3 of a list with the name and the
    /// digest of each file. What is made of the content is no part of it.
    pub fn content(&self) -> ContentHash {
        let files = self.files();
        let lines = files.iter().map(|file| {
            let (_, digest) = file.digest.parts();
            format!("{digest}  {}\n", file.name)
        });
        ContentHash::of(lines.collect::<String>().as_bytes())
    }

    /// Channels, height and width of an image, where they are known before a file is read.
    pub fn image(&self) -> Option<[usize; 3]> {
        match self {
            Self::Mnist | Self::FashionMnist => Some([1, 28, 28]),
            Self::Cifar10 => Some([3, 32, 32]),
            Self::Imagenet(source) => Some([3, source.size as usize, source.size as usize]),
            Self::Idx(_) | Self::Parquet(_) => None,
        }
    }

    /// The number of classes, where it is known before a file is read.
    pub fn classes(&self) -> Option<u16> {
        match self.facts() {
            Facts::Idx(known) => Some(known.class_names.len() as u16),
            Facts::Cifar(known) => Some(known.class_names.len() as u16),
            Facts::Own(source) => Some(source.classes),
            Facts::Imagenet(_) => None,
            Facts::Parquet(source) => {
                let names = source.class_names.as_ref();
                names.map(|names| names.len() as u16).or(source.classes)
            }
        }
    }

    /// CIFAR-10 is standardised, MNIST and its relatives are not (docs/methods.md, Data).
    fn default_scaling(&self) -> ScalingChoice {
        match self {
            Self::Cifar10 => ScalingChoice::Standardised,
            _ => ScalingChoice::UnitInterval,
        }
    }
}

impl ImagenetSource {
    pub(super) fn form(&self) -> Form {
        Form {
            size: Some(self.size),
            geometry: self.geometry,
            grey: false,
        }
    }
}

impl ParquetSource {
    pub(super) fn form(&self) -> Form {
        Form {
            size: self.size,
            geometry: self.geometry,
            grey: self.channels == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idx(classes: u16, train: &[u8]) -> DatasetSource {
        let hash = ContentHash::of(b"the same");
        DatasetSource::Idx(IdxSource {
            name: "own".to_owned(),
            classes,
            class_names: Vec::new(),
            files: IdxHashes {
                train_images: ContentHash::of(train),
                train_labels: hash,
                test_images: hash,
                test_labels: hash,
            },
        })
    }

    #[test]
    fn content_is_that_of_the_files_and_of_nothing_else() {
        let one = idx(4, b"one").content();
        assert_eq!(idx(5, b"one").content(), one);
        assert_ne!(idx(4, b"two").content(), one);
        assert_ne!(
            DatasetSource::Mnist.content(),
            DatasetSource::FashionMnist.content()
        );
    }

    #[test]
    fn content_is_what_b3sum_makes_of_a_list_of_digests() {
        let hash = ContentHash::of(b"shard");
        let source: DatasetSource = serde_json::from_value(serde_json::json!({ "parquet": {
            "name": "own",
            "train": [{ "path": "a.parquet", "hash": hash }],
            "test_files": [{ "path": "b.parquet", "hash": hash }],
            "image_column": "image",
            "label_column": "label",
            "channels": 3,
            "geometry": "stretch",
            "on_bad_image": "error",
        }}))
        .unwrap();
        let list = format!("{hash}  a.parquet\n{hash}  b.parquet\n");
        assert_eq!(source.content(), ContentHash::of(list.as_bytes()));
    }
}
