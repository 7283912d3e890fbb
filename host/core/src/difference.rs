//! Differences between two documents, field by field. Documents are compared as they are stored, in
//! canonical JSON, so that one value spelled in two ways is no difference.

use std::cmp::Ordering;
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

    /// The number of fields that `counts` and whose value is not the same in `now`; nothing as soon as it is
    /// more than `most`.
    pub fn distance(
        &self,
        now: &Self,
        counts: impl Fn(&str) -> bool,
        most: usize,
    ) -> Option<usize> {
        let (mut before, mut now) = (self.0.iter().peekable(), now.0.iter().peekable());
        let mut distance = 0;
        loop {
            let order = match (before.peek(), now.peek()) {
                (Some((left, _)), Some((right, _))) => left.cmp(right),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Some(distance),
            };
            let left = before.next_if(|_| order.is_le());
            let right = now.next_if(|_| order.is_ge());
            if left != right && left.or(right).is_some_and(|(field, _)| counts(field)) {
                distance += 1;
                if distance > most {
                    return None;
                }
            }
        }
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
    use proptest::prelude::*;
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
    proptest! {
        #[test]
        fn the_distance_is_the_number_of_differences_that_count(
            before: BTreeMap<u8, Option<bool>>,
            now: BTreeMap<u8, Option<bool>>,
            ignored: u8,
            most in 0_usize..40,
        ) {
            let ignored = ignored.to_string();
            let counts = |field: &str| field != ignored;
            let before = fields(&json!(before));
            let now = fields(&json!(now));
            let differences = before.differences(&now);
            let distance = differences.iter().filter(|it| counts(&it.field)).count();
            let expected = (distance <= most).then_some(distance);
            prop_assert_eq!(before.distance(&now, counts, most), expected);
        }
    }
}
