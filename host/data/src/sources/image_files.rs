//! The settings that sources of image files share.

use assay_core::settings::{Node, Reader, Value, integer};
use assay_core::{Complaints, Diagnostic};
use serde_json::json;

use super::images::BadImagePolicy;
use super::settings::word;
use crate::error::DatasetError;
use crate::image::{Geometry, MAX_SIZE};

/// The preparation of image files, as written.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImageSettings {
    pub(super) size: Option<u32>,
    pub(super) geometry: Geometry,
    pub(super) on_bad_image: BadImagePolicy,
}

impl ImageSettings {
    pub(super) fn read(reader: &mut Reader<'_>, out: &mut Complaints) -> Self {
        let size = reader.optional("size", out, integer(1..=MAX_SIZE.into()));
        Self {
            size: size.map(|size| size as u32),
            geometry: reader.optional("geometry", out, word).unwrap_or_default(),
            on_bad_image: reader
                .optional("on_bad_image", out, word)
                .unwrap_or_default(),
        }
    }
}

/// The number of images of the training set that form the test set.
pub(super) fn drawn_test(node: &Node) -> Result<u32, Diagnostic> {
    integer(1..=u32::MAX.into())(node).map(|count| count as u32)
}

/// 3 for colour, 1 for grey.
pub(super) fn channels(node: &Node) -> Result<u32, Diagnostic> {
    if let Value::Outline(outline) = &node.value {
        return outline.refuse(json!({ "enum": [1, 3] }));
    }
    match integer(i64::MIN..=i64::MAX)(node)? {
        1 => Ok(1),
        3 => Ok(3),
        other => Err(
            Diagnostic::new(format!("{other} is out of range"), &node.place)
                .label("expected 1 (grey) or 3"),
        ),
    }
}

/// Refuses channels that no prepared image has.
pub(super) fn check_channels(dataset: &str, channels: u32) -> Result<(), DatasetError> {
    if matches!(channels, 1 | 3) {
        return Ok(());
    }
    let problem = format!("is {channels}, must be 1 (grey) or 3");
    Err(DatasetError::parameter(dataset, "channels", problem))
}

/// Refuses a size that no image can be brought to.
pub(super) fn check_size(dataset: &str, size: u32) -> Result<(), DatasetError> {
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    let problem = format!("is {size}, must be from 1 to {MAX_SIZE}");
    Err(DatasetError::parameter(dataset, "size", problem))
}
