//! The parameters of the dataset stage: what decides its output, and nothing else.

use serde::{Deserialize, Serialize};

use super::DatasetSource;

/// Images of the training set that are held out for validation, unless stated.
pub const DEFAULT_VALIDATION: u32 = 5000;

/// Everything that decides the output of the dataset stage.
///
/// Serialising fills in defaults and leaves out what is absent, so that equal parameters have
/// one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawParameters")]
pub struct DatasetParameters {
    /// The origin of the images.
    pub source: DatasetSource,
    /// The number of images of the training set that form the validation split; 0 for none.
    pub validation: u32,
    /// Keys the draw of the validation split.
    pub split_seed: u64,
    /// Limits on the other two splits.
    pub limit: Limit,
    /// The scaling of pixels.
    pub scaling: ScalingChoice,
}

/// The parameters as they are given, before defaults.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParameters {
    source: DatasetSource,
    validation: Option<u32>,
    #[serde(default)]
    split_seed: u64,
    #[serde(default)]
    limit: Limit,
    scaling: Option<ScalingChoice>,
}

impl From<RawParameters> for DatasetParameters {
    fn from(given: RawParameters) -> Self {
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

/// The scaling of pixels, before the statistics are known that it may need.
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
