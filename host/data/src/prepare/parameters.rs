//! The parameters of the dataset stage: what decides its output, and nothing else.

use serde::{Deserialize, Serialize};

use crate::known::{self, KnownDataset};
use crate::source::IdxHashes;

/// Images of the training set that are held out for validation, unless stated.
pub const DEFAULT_VALIDATION: u32 = 5000;

/// What decides the output of the dataset stage.
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

/// Where the images come from: in text, `"mnist"`, `"fashion-mnist"`, `"cifar10"` or
/// `{"idx": {…}}`.
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

/// What is known of a source: by us, or from the user.
pub(super) enum Facts<'a> {
    Idx(&'static KnownDataset<4>),
    Cifar(&'static KnownDataset<6>),
    Own(&'a IdxSource),
}

impl DatasetSource {
    pub(super) fn facts(&self) -> Facts<'_> {
        match self {
            Self::Mnist => Facts::Idx(&known::MNIST),
            Self::FashionMnist => Facts::Idx(&known::FASHION_MNIST),
            Self::Cifar10 => Facts::Cifar(&known::CIFAR10),
            Self::Idx(source) => Facts::Own(source),
        }
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        match self.facts() {
            Facts::Idx(known) => known.name,
            Facts::Cifar(known) => known.name,
            Facts::Own(source) => &source.name,
        }
    }

    /// Channels, height and width of an image, where they are known before a file is read.
    pub fn image(&self) -> Option<[usize; 3]> {
        match self {
            Self::Mnist | Self::FashionMnist => Some([1, 28, 28]),
            Self::Cifar10 => Some([3, 32, 32]),
            Self::Idx(_) => None,
        }
    }

    /// The number of classes.
    pub fn classes(&self) -> u16 {
        match self.facts() {
            Facts::Idx(known) => known.class_names.len() as u16,
            Facts::Cifar(known) => known.class_names.len() as u16,
            Facts::Own(source) => source.classes,
        }
    }

    /// The classes' names, by label: the labels themselves where nobody named them.
    pub fn class_names(&self) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        match self.facts() {
            Facts::Idx(known) => owned(known.class_names),
            Facts::Cifar(known) => owned(known.class_names),
            Facts::Own(source) if source.class_names.is_empty() => {
                (0..source.classes).map(|label| label.to_string()).collect()
            }
            Facts::Own(source) => source.class_names.clone(),
        }
    }

    /// METHODS "Data": CIFAR-10 is standardised, MNIST and its relatives are not.
    fn default_scaling(&self) -> ScalingChoice {
        match self.facts() {
            Facts::Cifar(_) => ScalingChoice::Standardised,
            Facts::Idx(_) | Facts::Own(_) => ScalingChoice::UnitInterval,
        }
    }
}
