//! Differences between two documents, field by field. Documents are compared as they are stored, in
//! canonical JSON, so that one value spelled in two ways is no difference.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::canonical::{CanonicalError, canonical_json};

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The field, such as `parameters.hyperparameters.learning_rate`.
    pub field: String,
    /// Its value in the first document, if it is there.
    pub before: Option<Value>,
    /// Its value in the second document, if it is there.
    pub now: Option<Value>,
}

/// The leaves of a document by dotted path. Lists are leaves, and so are empty objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// The fields of a document.
    ///
    /// # Errors
    /// It has no canonical JSON.
    pub fn of<T: Serialize>(document: &T) -> Result<Self, CanonicalError> {
        let bytes = canonical_json(document)?;
        let value = serde_json::from_slice(&bytes)?;
        let mut fields = BTreeMap::new();
        flatten(String::new(), value, &mut fields);
        Ok(Self(fields))
    }

    /// The fields by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(field, value)| (field.as_str(), value))
    }

    /// Every field whose value is not the same in `now`, by path.
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let names: BTreeSet<_> = self.0.keys().chain(now.0.keys()).collect();
        let differing = names
            .into_iter()
            .filter(|name| self.0.get(*name) != now.0.get(*name));
        differing
            .map(|name| Difference {
                field: name.clone(),
                before: self.0.get(name).cloned(),
                now: now.0.get(name).cloned(),
            })
            .collect()
    }
}

fn flatten(path: String, value: Value, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key
                } else {
                    format!("{path}.{key}")
                };
                flatten(path, value, fields);
            }
        }
        leaf => drop(fields.insert(path, leaf)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: &Value) -> Fields {
        Fields::of(value).unwrap()
    }

    #[test]
    fn what_differs_is_told_by_path_and_what_does_not_is_not() {
        let before = fields(&json!({"a": {"b": 1, "c": [1, 2]}, "gone": null, "same": {}}));
        let now = fields(&json!({"a": {"b": 2, "c": [1, 2]}, "new": "x", "same": {}}));
        let expected = [
            ("a.b", Some(json!(1)), Some(json!(2))),
            ("gone", Some(Value::Null), None),
            ("new", None, Some(json!("x"))),
        ];
        let expected = expected.map(|(field, before, now)| Difference {
            field: field.to_owned(),
            before,
            now,
        });
        assert_eq!(before.differences(&now), expected);
    }

    #[test]
    fn one_number_spelled_in_two_ways_is_no_difference() {
        assert_eq!(
            fields(&json!({"rate": 1})).differences(&fields(&json!({"rate": 1.0}))),
            []
        );
    }
}
