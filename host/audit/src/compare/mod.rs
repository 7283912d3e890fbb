//! Comparison of two artifacts: every file, and in a file every column, tensor, value or line that
//! differs. Files are decoded by their media type, whatever their content claims. The comparison
//! decides nothing, executes nothing, and needs no more memory for a larger file of tables, tensors
//! or bytes.

mod bytes;
mod ipc;
mod json;
mod number;
mod parquet;
mod safetensors;
mod table;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use assay_core::{ArtifactFile, ArtifactHash, Difference, ObjectHash};
use assay_store::{Store, StoreError};
use serde::Serialize;

pub(crate) use self::parquet::open as open_parquet;

pub use self::bytes::BytesDifference;
pub use self::safetensors::{
    LargestElement, TensorChange, TensorDifference, TensorsDifference, ValuesDifference,
};
pub use self::table::{ColumnDifference, SchemaDifference, TableDifference};
pub use self::text::{LineDifference, TextDifference};

/// A file that is not the same in two artifacts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileDifference {
    /// Its name in the artifacts.
    pub file: String,
    /// How it differs.
    #[serde(flatten)]
    pub change: FileChange,
}

/// How a file differs between two artifacts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
#[non_exhaustive]
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

/// How the bytes of two files differ, and what they mean.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContentDifference {
    /// Their sizes in bytes.
    pub sizes: [u64; 2],
    /// Which bytes differ.
    pub bytes: BytesDifference,
    /// Differences in the decoded content; nothing where the media type is not known, or one of the
    /// files is not of that type.
    pub inside: Option<Inside>,
    /// Why there is nothing to say of their content, where their media type is known.
    pub undecoded: Option<String>,
}

/// Differences in the content of two files of one media type.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Inside {
    /// Tables, in Parquet or as an Arrow file.
    Table(TableDifference),
    /// Tensors, in safetensors.
    Tensors(TensorsDifference),
    /// JSON documents: every value that differs, by path.
    Json {
        /// The values.
        values: Vec<Difference>,
    },
    /// Texts.
    Text(TextDifference),
}

impl Inside {
    /// Whether both files say the same, and only their encoding differs.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Table(table) => table.is_empty(),
            Self::Tensors(tensors) => tensors.is_empty(),
            Self::Json { values } => values.is_empty(),
            Self::Text(text) => text.differing == 0,
        }
    }
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
        let same_type = before.media_type == now.media_type;
        let media_type = same_type.then_some(before.media_type.as_str());
        let objects = [before.object, now.object];
        let content = compare_objects(store, objects, media_type.unwrap_or_default());
        changes.push(content.unwrap_or_else(|reason| FileChange::Unreadable { reason }));
    }
    changes
}

fn compare_objects(
    store: &Store,
    objects: [ObjectHash; 2],
    media_type: &str,
) -> Result<FileChange, String> {
    // Bytes that are not those of their hash would be another's differences.
    for object in objects {
        store.verify(object).map_err(|error| error.to_string())?;
    }
    let [before, now] = objects.map(|object| store.object_path(object));
    let content = compare_files(&before, &now, media_type).map_err(|error| error.to_string())?;
    Ok(FileChange::Content(content))
}

/// How two files of one media type differ. They must not change while they are compared.
///
/// # Errors
/// One of them cannot be read. One that is not of its media type is no error.
pub fn compare_files(before: &Path, now: &Path, media_type: &str) -> io::Result<ContentDifference> {
    let sizes = [fs::metadata(before)?.len(), fs::metadata(now)?.len()];
    let bytes = bytes::compare(before, now)?;
    let inside = match media_type {
        "application/vnd.apache.parquet" => Some(guarded(|| {
            table::compare(parquet::open(before)?, parquet::open(now)?).map(Inside::Table)
        })),
        "application/vnd.apache.arrow.file" => Some(guarded(|| {
            table::compare(ipc::open(before)?, ipc::open(now)?).map(Inside::Table)
        })),
        "application/vnd.safetensors" => {
            Some(safetensors::compare(before, now).map(Inside::Tensors))
        }
        "application/json" => {
            Some(json::compare(before, now).map(|values| Inside::Json { values }))
        }
        text if text.starts_with("text/") => Some(text::compare(before, now).map(Inside::Text)),
        _ => None,
    };
    let (inside, undecoded) = match inside {
        Some(Ok(inside)) => (Some(inside), None),
        Some(Err(reason)) => (None, Some(reason)),
        None => (None, None),
    };
    Ok(ContentDifference {
        sizes,
        bytes,
        inside,
        undecoded,
    })
}

/// Decoders of tables index by lengths that they find in the file, so that damage can make them
/// panic; nothing they touched outlives the call.
fn guarded<T>(compare: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(compare))
        .unwrap_or_else(|_| Err("its pages do not decode".to_owned()))
}

/// A text that may be long, shortened for a person.
fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
