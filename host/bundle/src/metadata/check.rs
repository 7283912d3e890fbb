//! Whether the metadata of a bundle are about that bundle: its run, and each of its files with size
//! and SHA-256. What else they say repeats documents that are checked themselves, or is a person's
//! word.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FileFacts, ROOT};
use crate::contents::Contents;
use crate::error::BundleError;
use crate::layout::Entry;

/// # Errors
/// They are not JSON, or about another run or other files.
pub(crate) fn check(
    metadata: &[u8],
    contents: &Contents,
    files: &BTreeMap<Entry, FileFacts>,
) -> Result<(), BundleError> {
    let untrue = |what: String| Err(BundleError::Untrue(what));
    let document: Value = match serde_json::from_slice(metadata) {
        Ok(document) => document,
        Err(error) => return untrue(format!("are not JSON: {error}")),
    };
    let Some(entities) = document.get("@graph").and_then(Value::as_array) else {
        return untrue("have no graph".to_owned());
    };
    let by_id = |id: &str| {
        let mut found = entities
            .iter()
            .filter(|entity| text(entity, "@id") == Some(id));
        match (found.next(), found.next()) {
            (Some(entity), None) => Some(entity),
            _ => None,
        }
    };
    let run = contents.run.to_string();
    if by_id(ROOT).and_then(|root| text(root, "identifier")) != Some(&run) {
        return untrue("are not of its run".to_owned());
    }
    let entities = entities.iter().filter(|entity| is_file(entity));
    let mut described = BTreeMap::new();
    for entity in entities {
        let id = text(entity, "@id").unwrap_or_default();
        if described.insert(id, entity).is_some() {
            return untrue(format!("describe {id:.100?} twice"));
        }
    }
    for (entry, facts) in files.iter().filter(|(entry, _)| **entry != Entry::Metadata) {
        let name = entry.name();
        let Some(entity) = described.remove(name.as_str()) else {
            return untrue(format!("do not describe {name}"));
        };
        let right = text(entity, "contentSize") == Some(&facts.content_size())
            && text(entity, "sha256") == Some(&facts.hex());
        if !right {
            return untrue(format!("describe another {name}"));
        }
    }
    match described.keys().next() {
        Some(id) => untrue(format!("describe {id:.100?}, which it does not have")),
        None => Ok(()),
    }
}

fn text<'a>(entity: &'a Value, field: &str) -> Option<&'a str> {
    entity.get(field).and_then(Value::as_str)
}

fn is_file(entity: &Value) -> bool {
    match entity.get("@type") {
        Some(Value::String(kind)) => kind == "File",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "File"),
        _ => false,
    }
}
