//! Why a stage would run: which fields of its action differ from the nearest one with a result.

use assay_core::{Action, ActionKey, Difference, Fields};
use assay_store::{Store, StoreError};

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

/// The actions that have results, read once.
pub(crate) struct History {
    actions: Vec<(ActionKey, Action, Fields)>,
}

impl History {
    /// Reads the actions of the store. One that cannot be read explains nothing and is left out.
    pub(crate) fn read(store: &Store) -> Result<Self, StoreError> {
        let known = store.action_keys()?.into_iter().filter_map(|key| {
            let action = store.action(key).ok()?;
            let fields = Fields::of(&action).ok()?;
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
        let now = Fields::of(action).unwrap_or_default();
        let candidates = self
            .actions
            .iter()
            .filter(|(_, known, _)| known.kind == action.kind);
        let compared = candidates.map(|(key, _, before)| (*key, before.differences(&now)));
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
