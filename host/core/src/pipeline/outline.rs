//! Outlines. In the place of a value, an outline takes down what is read there, so the JSON Schema of
//! a pipeline file is made by the code that reads it, and cannot say anything else. Whatever is read
//! from an outline is an error, for there is no value; the complaints about it mean nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value as Json, json};

use super::diagnostic::{Diagnostic, Place};
use super::networks::start_of;
use super::tree::{Entry, Node, Table, Value};

/// What has been read in the place of one value. Clones of its node share it.
#[derive(Debug, Default)]
pub struct Outline {
    /// Schemas of values that are accepted.
    accepted: Mutex<Vec<Json>>,
    /// The keys of a table that has no others.
    keys: OnceLock<Box<Key>>,
    /// A table in which the user chooses the names, with one entry for them all.
    names: OnceLock<Table>,
    /// An array, with one item for them all.
    items: OnceLock<Box<[Node; 1]>>,
}

/// A key that was asked for, and those asked for after it.
#[derive(Debug)]
struct Key {
    name: &'static str,
    is_required: AtomicBool,
    entry: Entry,
    next: OnceLock<Box<Key>>,
}

impl PartialEq for Outline {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

fn place() -> Place {
    start_of(0)
}

fn entry(value: Value) -> Entry {
    let place = place();
    let node = Node { place, value };
    let key = node.place.clone();
    Entry { key, node }
}

impl Key {
    fn new(name: &'static str, value: Value) -> Box<Self> {
        Box::new(Self {
            name,
            is_required: AtomicBool::new(false),
            entry: entry(value),
            next: OnceLock::new(),
        })
    }
}

fn unread() -> Value {
    Value::Outline(Arc::default())
}

/// The schema of what was read from a node: of an outline what it took down, of a value that value.
fn schema(node: &Node) -> Json {
    match &node.value {
        Value::Outline(outline) => outline.schema(),
        value => json!({ "const": value.to_json() }),
    }
}

impl Outline {
    /// Takes down a schema of values that are accepted, beside others.
    pub fn accept(&self, schema: Json) {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if !accepted.contains(&schema) {
            accepted.push(schema);
        }
    }

    /// As [`Outline::accept`], of all that is accepted, and the error of there being no value.
    ///
    /// # Errors
    /// Always.
    pub fn refuse<T>(&self, schema: Json) -> Result<T, Diagnostic> {
        self.accept(schema);
        Err(Diagnostic::new("an outline has no value", &place()))
    }

    fn key(&self, name: &'static str, value: impl FnOnce() -> Value) -> &Key {
        let (mut slot, mut value) = (&self.keys, Some(value));
        loop {
            let new = || Key::new(name, value.take().map_or_else(unread, |it| it()));
            let key = slot.get_or_init(new);
            if key.name == name {
                return key;
            }
            slot = &key.next;
        }
    }

    /// Sets a key to a value.
    pub(super) fn give(&self, name: &'static str, value: Value) {
        let key = self.key(name, || value);
        key.is_required.store(true, Ordering::Relaxed);
    }

    /// The entry under a key.
    pub(super) fn entry(&self, name: &'static str) -> &Entry {
        &self.key(name, unread).entry
    }

    /// Takes down that a key has to be there.
    pub(super) fn require(&self, name: &'static str) {
        let key = self.key(name, unread);
        key.is_required.store(true, Ordering::Relaxed);
    }

    /// A table with names of the user's.
    pub(super) fn names(&self) -> &Table {
        let one = || Table::from_iter([("NAME".to_owned(), entry(unread()))]);
        self.names.get_or_init(one)
    }

    /// An array.
    pub(super) fn items(&self) -> &[Node] {
        self.items
            .get_or_init(|| Box::new([entry(unread()).node]))
            .as_slice()
    }

    /// The schema of what was read.
    pub(super) fn schema(&self) -> Json {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut forms = accepted.clone();
        forms.extend(self.table_schema());
        if let Some(entry) = self.names.get().and_then(|names| names.values().next()) {
            let any = schema(&entry.node);
            forms.push(json!({ "type": "object", "additionalProperties": any }));
        }
        if let Some([item]) = self.items.get().map(Box::as_ref) {
            forms.push(json!({ "type": "array", "items": schema(item) }));
        }
        match forms.len() {
            0 => Json::Bool(true),
            1 => forms.remove(0),
            _ => json!({ "anyOf": forms }),
        }
    }

    fn table_schema(&self) -> Option<Json> {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        let mut next = &self.keys;
        while let Some(key) = next.get() {
            properties.insert(key.name.to_owned(), schema(&key.entry.node));
            if key.is_required.load(Ordering::Relaxed) {
                required.push(key.name);
            }
            next = &key.next;
        }
        (!properties.is_empty()).then(|| {
            json!({
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            })
        })
    }
}
