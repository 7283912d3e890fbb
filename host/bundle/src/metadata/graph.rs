//! The flat graph of a crate: entities with their fields, each once. It knows no vocabulary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

/// The entities of a crate.
#[derive(Default)]
pub(super) struct Graph {
    entities: Vec<Value>,
    known: BTreeSet<String>,
    mentioned: Vec<Value>,
}

impl Graph {
    /// Adds an entity, unless there is one of that identifier. Fields without a value are left out.
    pub(super) fn add<'a>(
        &mut self,
        id: &str,
        kind: impl Into<Value>,
        fields: impl IntoIterator<Item = (&'a str, Value)>,
    ) {
        if !self.known.insert(id.to_owned()) {
            return;
        }
        let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
        // Sorted here, since a map of JSON keeps any order, or sorts, as other crates wish.
        let mut entity: BTreeMap<_, _> = fields.collect();
        entity.insert("@id", json!(id));
        entity.insert("@type", kind.into());
        self.entities.push(json!(entity));
    }

    /// As [`Graph::add`], for an entity that the root is to mention.
    pub(super) fn add_mentioned<'a>(
        &mut self,
        id: &str,
        kind: &str,
        fields: impl IntoIterator<Item = (&'a str, Value)>,
    ) {
        if !self.known.contains(id) {
            self.mentioned.push(reference(id));
        }
        self.add(id, kind, fields);
    }

    /// What the root is to mention.
    pub(super) fn mentioned(&self) -> Vec<Value> {
        self.mentioned.clone()
    }

    pub(super) fn finish(self) -> Vec<Value> {
        self.entities
    }
}

/// The value of a field that names an entity.
pub(super) fn reference(id: &str) -> Value {
    json!({ "@id": id })
}

/// The value of a field that may have several, which one alone is not wrapped in, as the crate's
/// compact form has it.
pub(super) fn all(values: impl IntoIterator<Item = Value>) -> Value {
    let mut values: Vec<_> = values.into_iter().collect();
    match values.len() {
        0 => Value::Null,
        1 => values.remove(0),
        _ => Value::Array(values),
    }
}

/// A text as the fragment of an identifier.
pub(super) fn fragment(text: &str) -> String {
    let mut fragment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._/=".contains(&byte) {
            fragment.push(char::from(byte));
        } else {
            let _ = write!(fragment, "%{byte:02X}");
        }
    }
    fragment
}
