//! Whether the metadata of a bundle say what its documents say. A person's words are taken from
//! them; everything else must come out the same when it is written again.

use std::collections::BTreeMap;

use assay_core::ObjectHash;
use serde_json::Value;

use super::people::Attribution;
use super::{FileFacts, REVISION, document};
use crate::contents::{Contents, Role};
use crate::error::BundleError;
use crate::layout::Entry;

/// # Errors
/// They are not JSON, of another revision, or about anything but this run and these files.
pub(crate) fn check(
    metadata: &[u8],
    contents: &Contents,
    objects: &BTreeMap<ObjectHash, Vec<Role>>,
    files: &BTreeMap<Entry, FileFacts>,
) -> Result<(), BundleError> {
    let found: Value = serde_json::from_slice(metadata)
        .map_err(|error| BundleError::Untrue(format!("are not JSON: {error}")))?;
    let entities = found.get("@graph").and_then(Value::as_array);
    let entities = entities.map_or(&[][..], Vec::as_slice);
    let revision = entity(entities, &Entry::Metadata.name()).and_then(|it| text(it, "version"));
    if revision != Some(REVISION) {
        let found = revision.unwrap_or("none");
        return Err(BundleError::Untrue(format!(
            "are of revision {found:.20?}, and this version knows {REVISION:?}; use the version of \
             assay that made it"
        )));
    }
    let about = Attribution::read(entities);
    let expected = document(contents, objects, files, &about)?;
    if expected == metadata {
        Ok(())
    } else {
        let line = first_difference(&expected, metadata);
        Err(BundleError::Untrue(format!(
            "do not say what its documents say, from line {line} on"
        )))
    }
}

/// The first line, from one, that differs.
fn first_difference(expected: &[u8], found: &[u8]) -> usize {
    let pairs = expected.iter().zip(found);
    let same = pairs.take_while(|(one, other)| one == other);
    1 + same.filter(|(byte, _)| **byte == b'\n').count()
}

/// The entity with this identifier.
pub(super) fn entity<'a>(entities: &'a [Value], id: &str) -> Option<&'a Value> {
    entities
        .iter()
        .find(|entity| text(entity, "@id") == Some(id))
}

pub(super) fn text<'a>(entity: &'a Value, field: &str) -> Option<&'a str> {
    entity.get(field).and_then(Value::as_str)
}
