//! The names of the classes: from the pipeline, else from the files, else by number.

use serde::Deserialize;

use super::super::images::ImageSet;
use super::super::numbered_classes;
use super::ParquetSource;
use super::set::Set;

/// The key of the metadata that Hugging Face's `datasets` writes.
pub(super) const METADATA: &str = "huggingface";

#[derive(Deserialize)]
struct Metadata {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    features: serde_json::Map<String, serde_json::Value>,
}

/// The names of the classes of the column `label` in a file's metadata; `None` where they are
/// missing or not of the expected kind.
pub(super) fn in_metadata(metadata: &str, label: &str) -> Option<Vec<String>> {
    let metadata: Metadata = serde_json::from_str(metadata).ok()?;
    let names = metadata.info.features.get(label)?.get("names")?;
    serde_json::from_value(names.clone()).ok()
}

/// The names of the dataset's classes, by label.
pub(super) fn names(source: &ParquetSource, train: &Set, test: Option<&Set>) -> Vec<String> {
    let given = source.class_names.as_ref();
    let stated = || train.class_names.as_ref();
    // A number of classes that contradicts the files' names is the user's to decide.
    if let Some(names) = given.or_else(|| stated().filter(|_| source.classes.is_none())) {
        return names.clone();
    }
    let labels = [Some(train), test].into_iter().flatten();
    let largest = labels.flat_map(ImageSet::labels).max().copied();
    let classes = source
        .classes
        .unwrap_or_else(|| largest.unwrap_or(0).saturating_add(1));
    numbered_classes(classes)
}
