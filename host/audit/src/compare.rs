//! Comparison of two artifacts: every file, and in a file every column, tensor, value or line that
//! differs. The comparison decides nothing, executes nothing, and needs no more memory for a larger
//! file of tables, tensors or bytes.

use std::collections::BTreeSet;

use assay_core::{ArtifactFile, ArtifactHash, ObjectHash};
use assay_store::{Store, StoreError};
use serde::Serialize;

use crate::formats::{ContentDifference, compare_files};

/// A file that is not the same in two artifacts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileDifference {
    /// Its name in the artifacts.
    pub file: String,
    /// The difference.
    #[serde(flatten)]
    pub change: FileChange,
}

/// Difference of a file between two artifacts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum FileChange {
    /// Only the first artifact has it.
    Missing {
        /// Its size there, in bytes.
        size: u64,
    },
    /// Only the second artifact has it.
    Extra {
        /// Its size there, in bytes.
        size: u64,
    },
    /// It is said to be of another media type.
    MediaType {
        /// In the first artifact.
        before: String,
        /// In the second.
        now: String,
    },
    /// Its bytes differ.
    Content(ContentDifference),
    /// Its bytes differ, and cannot be looked at.
    Unreadable {
        /// Why not.
        reason: String,
    },
}

/// Every difference between two artifacts of a store, by file name.
///
/// # Errors
/// A manifest cannot be read. A file that cannot be read is a difference.
pub fn compare_artifacts(
    store: &Store,
    before: ArtifactHash,
    now: ArtifactHash,
) -> Result<Vec<FileDifference>, StoreError> {
    if before == now {
        return Ok(Vec::new());
    }
    let (before, now) = (store.artifact(before)?.files, store.artifact(now)?.files);
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let mut differences = Vec::new();
    for name in names {
        let changes = match (before.get(name), now.get(name)) {
            (Some(before), Some(now)) => compare_entries(store, before, now),
            (Some(before), None) => vec![FileChange::Missing { size: before.size }],
            (None, Some(now)) => vec![FileChange::Extra { size: now.size }],
            (None, None) => Vec::new(),
        };
        differences.extend(changes.into_iter().map(|change| FileDifference {
            file: name.clone(),
            change,
        }));
    }
    Ok(differences)
}

fn compare_entries(store: &Store, before: &ArtifactFile, now: &ArtifactFile) -> Vec<FileChange> {
    let mut changes = Vec::new();
    if before.media_type != now.media_type {
        changes.push(FileChange::MediaType {
            before: before.media_type.clone(),
            now: now.media_type.clone(),
        });
    }
    if before.object != now.object {
        let content = compare_objects(store, [before.object, now.object]);
        changes.push(content.unwrap_or_else(|reason| FileChange::Unreadable { reason }));
    }
    changes
}

fn compare_objects(store: &Store, objects: [ObjectHash; 2]) -> Result<FileChange, String> {
    // Bytes that are not those of their hash would be another's differences.
    for object in objects {
        store.verify(object).map_err(|error| error.to_string())?;
    }
    let [before, now] = objects.map(|object| store.object_path(object));
    let content = compare_files(&before, &now).map_err(|error| error.to_string())?;
    Ok(FileChange::Content(content))
}
