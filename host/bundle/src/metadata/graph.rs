//! The flat graph of a crate: entities with their fields, each once, handed on as they come, for a
//! crate of many files has many. It knows no vocabulary.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use assay_core::ObjectHash;
use serde_json::{Value, json};

/// An entity: its fields, `@id` and `@type` among them.
pub(super) type Entity<'a> = BTreeMap<&'a str, Value>;

/// The entities of a crate.
pub(super) struct Graph<'a> {
    /// Takes each entity.
    take: &'a mut dyn FnMut(&Entity<'_>),
    /// The hashes of the identifiers, which are shorter than they.
    known: HashSet<ObjectHash>,
    mentioned: Vec<String>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(take: &'a mut dyn FnMut(&Entity<'_>)) -> Self {
        Self {
            take,
            known: HashSet::new(),
            mentioned: Vec::new(),
        }
    }

    /// Adds an entity, unless there is one of that identifier. Fields without a value are left out.
    pub(super) fn add<'b>(
        &mut self,
        id: &str,
        kind: impl Into<Value>,
        fields: impl IntoIterator<Item = (&'b str, Value)>,
    ) {
        if !self.known.insert(ObjectHash::of(id.as_bytes())) {
            return;
        }
        let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
        // Sorted here, since a map of JSON keeps any order, or sorts, as other crates wish.
        let mut entity: Entity<'_> = fields.collect();
        entity.insert("@id", json!(id));
        entity.insert("@type", kind.into());
        (self.take)(&entity);
    }

    /// As [`Graph::add`], for an entity that the root is to mention.
    pub(super) fn add_mentioned<'b>(
        &mut self,
        id: &str,
        kind: &str,
        fields: impl IntoIterator<Item = (&'b str, Value)>,
    ) {
        if !self.known.contains(&ObjectHash::of(id.as_bytes())) {
            self.mentioned.push(id.to_owned());
        }
        self.add(id, kind, fields);
    }

    /// The identifiers of what the root is to mention.
    pub(super) fn take_mentioned(&mut self) -> Vec<String> {
        std::mem::take(&mut self.mentioned)
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
