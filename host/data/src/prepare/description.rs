//! The description of a prepared dataset, stored beside its tables as JSON.

use serde::{Deserialize, Serialize};

use super::parameters::ScalingChoice;
use crate::table::ImageShape;

/// The description's file name.
pub const DESCRIPTION_FILE: &str = "dataset.json";

/// What a prepared dataset is.
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
    /// How pixels become numbers; where nothing is said, pixels / 255.
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
    /// The table's file name.
    pub file: String,
    /// The number of images.
    pub images: u32,
    /// The number of images of each class, by label.
    pub label_counts: Vec<u64>,
}
