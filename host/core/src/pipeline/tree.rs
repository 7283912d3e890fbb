//! Parsed TOML whose every key and value knows where it stands, with overrides applied.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Number};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Complaints, Diagnostic, Place, Source};
use super::outline::Outline;
use super::reader::shortened;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// The value.
    pub value: Value,
}

/// A TOML value; dates have no use in a pipeline file and are refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    String(String),
    /// An integer.
    Integer(i64),
    /// A finite float.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// An array.
    Array(Vec<Node>),
    /// A table.
    Table(Table),
    /// No value: it takes down what is read in its place.
    Outline(Arc<Outline>),
}

/// The entries of a table, in the order of the file.
pub type Table = IndexMap<String, Entry>;

/// A value under its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key: Place,
    /// The value under it.
    pub node: Node,
}

impl Value {
    /// The type as an error message names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Outline(_) => "an outline",
        }
    }

    /// The value as JSON; floats are finite, since the parser refuses the others.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::String(text) => text.clone().into(),
            Self::Integer(integer) => (*integer).into(),
            Self::Float(float) => {
                Number::from_f64(*float).map_or(serde_json::Value::Null, Into::into)
            }
            Self::Boolean(boolean) => (*boolean).into(),
            Self::Array(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Table(table) => table
                .iter()
                .map(|(key, entry)| (key.clone(), entry.node.value.to_json()))
                .collect::<Map<_, _>>()
                .into(),
            Self::Outline(_) => serde_json::Value::Null,
        }
    }
}

/// Parses the text of source number `source`, collecting every complaint.
pub fn parse(text: &str, source: usize, complaints: &mut Complaints) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    complaints.extend(errors.iter().map(|error| invalid(error, source)));
    if errors.is_empty() {
        convert_table(table.get_ref(), source, complaints)
    } else {
        Table::new()
    }
}

/// Parses the text of source number `source`, a single value such as an inline table.
pub(super) fn parse_value(text: &str, source: usize, complaints: &mut Complaints) -> Option<Node> {
    let (value, errors) = DeValue::parse_recoverable(text);
    complaints.extend(errors.iter().map(|error| invalid(error, source)));
    if errors.is_empty() {
        convert(&value, source, complaints)
    } else {
        None
    }
}

fn invalid(error: &toml::de::Error, source: usize) -> Diagnostic {
    let bytes = error.span().unwrap_or(0..0);
    Diagnostic::new(error.message(), &Place { source, bytes }).label("not valid TOML")
}

fn convert_table(table: &DeTable<'_>, source: usize, complaints: &mut Complaints) -> Table {
    let mut converted = Table::with_capacity(table.len());
    for (key, value) in table {
        let place = Place {
            source,
            bytes: key.span(),
        };
        if let Some(node) = convert(value, source, complaints) {
            converted.insert(key.get_ref().to_string(), Entry { key: place, node });
        }
    }
    converted
}

fn convert(
    value: &Spanned<DeValue<'_>>,
    source: usize,
    complaints: &mut Complaints,
) -> Option<Node> {
    let place = Place {
        source,
        bytes: value.span(),
    };
    let mut refuse = |message: String| {
        complaints.push(Diagnostic::new(message, &place));
        None
    };
    let converted = match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Value::Integer(integer),
            Err(_) => return refuse("the integer does not fit 64 bits".to_owned()),
        },
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(float) if float.is_finite() => Value::Float(float),
            _ => {
                let written = shortened(float.as_str());
                return refuse(format!("a setting must be finite, and `{written}` is not"));
            }
        },
        DeValue::Datetime(_) => {
            return refuse("a date has no meaning in a pipeline file".to_owned());
        }
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .filter_map(|item| convert(item, source, complaints))
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(convert_table(table, source, complaints)),
    };
    Some(Node {
        place,
        value: converted,
    })
}

/// Applies the override in source number `number`: `path.to.key = value`, where the path may
/// leave out the leading `stage.` of a stage's name.
pub(super) fn apply_override(
    root: &mut Table,
    sources: &[Source],
    number: usize,
    complaints: &mut Complaints,
) {
    let text = &sources[number].text;
    let whole = Place {
        source: number,
        bytes: 0..text.len(),
    };
    let (parsed, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        complaints.push(
            Diagnostic::new(format!("`{}` is not an override", shortened(text)), &whole)
                .label("expected NAME.KEY=VALUE with a TOML value")
                .help("strings need quotes: --set 'train.network=\"mnist-fc\"'".to_owned()),
        );
        return;
    }
    let mut table = convert_table(parsed.get_ref(), number, complaints);
    let is_stage = |name: &str| {
        matches!(
            root.get("stage").map(|entry| &entry.node.value),
            Some(Value::Table(stages)) if stages.contains_key(name)
        )
    };
    let first = table.keys().next().cloned().unwrap_or_default();
    if !root.contains_key(&first) && is_stage(&first) {
        let node = Node {
            place: whole.clone(),
            value: Value::Table(table),
        };
        table = Table::from_iter([("stage".to_owned(), Entry { key: whole, node })]);
    }
    merge(root, table);
}

/// Tables merge key by key; everything else is replaced.
pub(super) fn merge(into: &mut Table, from: Table) {
    for (key, entry) in from {
        match (into.get_mut(&key), entry) {
            (
                Some(Entry {
                    node:
                        Node {
                            value: Value::Table(old),
                            ..
                        },
                    ..
                }),
                Entry {
                    node:
                        Node {
                            value: Value::Table(new),
                            ..
                        },
                    ..
                },
            ) => merge(old, new),
            (_, entry) => {
                into.insert(key, entry);
            }
        }
    }
}
