//! Why a stage would run: which fields of its action differ from the nearest one with a result.

use std::collections::BTreeMap;

use assay_core::{Action, ActionKey};
use assay_store::{Store, StoreError};
use serde_json::Value;

/// Why a stage would or would not run.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Its result is there.
    Cached,
    /// Nothing of its kind has ever run in this store.
    FirstOfItsKind,
    /// Its result is there, but a file of its artifact is missing or damaged.
    Damaged,
    /// It differs from every action that has a result; these are the differences to the nearest.
    Differs {
        /// The nearest action.
        nearest: ActionKey,
        /// What differs, by field.
        differences: Vec<Difference>,
    },
    /// Its plugin cannot be used.
    Refused {
        /// Why not.
        why: String,
    },
    /// It reads what is not there yet, so its key is not known.
    DependsOn {
        /// The names of the stages it waits for.
        stages: Vec<String>,
    },
}

/// A field of an action that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The field, such as `parameters.hyperparameters.learning_rate`.
    pub field: String,
    /// Its value in the nearest action.
    pub before: Option<Value>,
    /// Its value now.
    pub now: Option<Value>,
}

/// The actions that have results, read once.
pub(crate) struct History {
    actions: Vec<(ActionKey, Action, BTreeMap<String, Value>)>,
}

impl History {
    /// Reads the actions of the store. One that cannot be read explains nothing and is left out.
    pub(crate) fn read(store: &Store) -> Result<Self, StoreError> {
        let known = store.action_keys()?.into_iter().filter_map(|key| {
            let action = store.action(key).ok()?;
            let fields = fields(&action);
            Some((key, action, fields))
        });
        Ok(Self {
            actions: known.collect(),
        })
    }

    /// Why the action `key`, which has no usable result, would run.
    pub(crate) fn explain(&self, key: ActionKey, action: &Action) -> Reason {
        if self.actions.iter().any(|(known, ..)| *known == key) {
            return Reason::Damaged;
        }
        let now = fields(action);
        let candidates = self
            .actions
            .iter()
            .filter(|(_, known, _)| known.kind == action.kind);
        let compared = candidates.map(|(key, _, before)| (*key, differences(before, &now)));
        // The smaller key among equals, so that the answer does not depend on the file system.
        match compared.min_by_key(|(key, differences)| (differences.len(), *key)) {
            Some((nearest, differences)) => Reason::Differs {
                nearest,
                differences,
            },
            None => Reason::FirstOfItsKind,
        }
    }
}

fn differences(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> Vec<Difference> {
    let mut names: Vec<_> = before.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differing = names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name));
    differing
        .map(|name| Difference {
            field: name.clone(),
            before: before.get(name).cloned(),
            now: now.get(name).cloned(),
        })
        .collect()
}

/// The leaves of an action's document by dotted path.
fn fields(action: &Action) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    // The canonical form, so that 1 and 1.0 are one number here too.
    let document = action.document().ok();
    let value = document.and_then(|(_, bytes)| serde_json::from_slice(&bytes).ok());
    flatten(String::new(), value.unwrap_or(Value::Null), &mut fields);
    fields
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
