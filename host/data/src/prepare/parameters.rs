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
#[serde(deny_unknown_fields)]
pub struct DatasetParameters {
    /// Where the images come from.
    pub source: DatasetSource,
    /// How many images of the training set form the validation split; 0 for none.
    #[serde(default = "default_validation")]
    pub validation: u32,
    /// Keys the draw of the validation split.
    #[serde(default)]
    pub split_seed: u64,
    /// Limits on the other two splits.
    #[serde(default)]
    pub limit: Limit,
}

fn default_validation() -> u32 {
    DEFAULT_VALIDATION
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

/// Where the images come from: in text, `"mnist"`, `"fashion-mnist"` or `{"idx": {…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetSource {
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
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
    /// The hashes of the four files.
    pub files: IdxHashes,
}

/// What is known of a source: by us, or from the user.
pub(super) enum Facts<'a> {
    Known(&'static KnownDataset),
    Own(&'a IdxSource),
}

impl DatasetSource {
    pub(super) fn facts(&self) -> Facts<'_> {
        match self {
            Self::Mnist => Facts::Known(&known::MNIST),
            Self::FashionMnist => Facts::Known(&known::FASHION_MNIST),
            Self::Idx(source) => Facts::Own(source),
        }
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        match self.facts() {
            Facts::Known(known) => known.name,
            Facts::Own(source) => &source.name,
        }
    }

    /// The number of classes.
    pub fn classes(&self) -> u16 {
        match self.facts() {
            Facts::Known(known) => known.class_names.len() as u16,
            Facts::Own(source) => source.classes,
        }
    }

    /// The classes' names, by label: the labels themselves where nobody named them.
    pub fn class_names(&self) -> Vec<String> {
        match self.facts() {
            Facts::Known(known) => known.class_names.iter().map(ToString::to_string).collect(),
            Facts::Own(source) => (0..source.classes).map(|label| label.to_string()).collect(),
        }
    }
}
