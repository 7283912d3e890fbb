//! The description of a prepared dataset, stored beside its tables as JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::DatasetError;
use crate::sources::ScalingChoice;
use crate::table::{ImageShape, ImageTable, InvalidStandardisation, Scaling, Standardisation};

/// The description's file name.
pub const DESCRIPTION_FILE: &str = "dataset.json";

/// The description of a prepared dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The dataset's name.
    pub name: String,
    /// Channels, rows and columns of every image.
    pub shape: ImageShape,
    /// The number of classes.
    pub classes: u16,
    /// The classes' names, by label.
    pub class_names: Vec<String>,
    /// The scaling of pixels; where nothing is said, pixels / 255.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub scaling: ScalingChoice,
    /// Mean of pixels / 255 over the training split, for each channel.
    pub mean: Vec<f64>,
    /// Population standard deviation of pixels / 255 over the training split, for each channel.
    pub standard_deviation: Vec<f64>,
    /// The splits.
    pub splits: Splits,
}

/// The splits of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splits {
    /// For training.
    pub train: SplitDescription,
    /// Held out of the training set; absent when none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<SplitDescription>,
    /// For testing.
    pub test: SplitDescription,
}

/// One split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitDescription {
    /// The table's file name, where it is one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The file names of the table's shards, in order, where it is cut into several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<String>,
    /// The number of images.
    pub images: u32,
    /// The number of images of each class, by label.
    pub label_counts: Vec<u64>,
    /// The images that belong here and could not be decoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedImage>,
}

/// An image that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedImage {
    /// Its name in the dataset.
    pub file: String,
    /// The reason why it was left out.
    pub reason: String,
}

impl Description {
    /// The scaling of every split, with its statistics.
    ///
    /// # Errors
    /// The images of the training split leave nothing to standardise by.
    pub fn full_scaling(&self) -> Result<Scaling, InvalidStandardisation> {
        Ok(match self.scaling {
            ScalingChoice::UnitInterval => Scaling::UnitInterval,
            ScalingChoice::Standardised => {
                Scaling::Standardised(Standardisation::new(&self.mean, &self.standard_deviation)?)
            }
        })
    }

    /// Opens the table of one of the description's splits, whose files `locate` finds by name.
    pub fn open_split(
        &self,
        split: &SplitDescription,
        locate: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<ImageTable, DatasetError> {
        let missing = |name: &String| {
            DatasetError::Unusable(format!(
                "the dataset has no file `{name}`, which its description names"
            ))
        };
        let locate = |name: &String| locate(name).ok_or_else(|| missing(name));
        if let Some(file) = &split.file {
            return Ok(ImageTable::open(&locate(file)?)?);
        }
        let paths = split.shards.iter().map(locate);
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        let scaling = self.full_scaling().map_err(|fault| {
            DatasetError::Unusable(format!(
                "the description of the dataset has no usable statistics: {fault}"
            ))
        })?;
        Ok(ImageTable::open_shards(&paths, scaling)?)
    }
}

impl SplitDescription {
    /// The names of the table's files, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.file.iter().chain(&self.shards).map(String::as_str)
    }
}

impl Splits {
    /// Every split that is there.
    pub fn iter(&self) -> impl Iterator<Item = &SplitDescription> {
        let train = std::iter::once(&self.train);
        train.chain(&self.validation).chain([&self.test])
    }
}
