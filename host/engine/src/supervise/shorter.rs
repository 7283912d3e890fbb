//! Finds the longest training that another one can go on from.

use assay_core::{ActionKey, ActionResult, ArtifactHash};
use assay_store::{Store, StoreError};

use super::Failure;
use crate::stages::Kind;

/// A shorter action that another one can go on from, and what it cost.
pub(super) struct Shorter {
    pub(super) artifact: ArtifactHash,
    pub(super) duration_ms: u64,
    pub(super) epoch_ms: Vec<u64>,
    pub(super) multiply_adds: Option<u64>,
}

impl Shorter {
    /// One of which nothing but the artifact is known.
    pub(super) fn of(artifact: ArtifactHash) -> Self {
        Self {
            artifact,
            duration_ms: 0,
            epoch_ms: Vec::new(),
            multiply_adds: None,
        }
    }
}

impl From<ActionResult> for Shorter {
    fn from(result: ActionResult) -> Self {
        Self {
            artifact: result.artifact,
            duration_ms: result.duration_ms,
            epoch_ms: result.epoch_ms,
            multiply_adds: result.multiply_adds,
        }
    }
}

/// The result of the action that differs from this one only in being shorter, and of several the
/// longest. Whether it can be gone on from is for the worker to see.
///
/// The keys of all shorter actions are computed until one has a result, which for the longest
/// training of the paper takes milliseconds.
pub(super) fn shorter(store: &Store, key: ActionKey) -> Result<Option<Shorter>, Failure> {
    let mut action = store.action(key)?;
    let Some(length) = Kind::of(action.kind).length else {
        return Ok(None);
    };
    let own = action
        .parameters
        .get(length)
        .and_then(serde_json::Value::as_u64);
    let own = own.unwrap_or(0).min(MOST_LENGTH);
    for shorter in (1..own).rev() {
        action.parameters.insert(length.to_owned(), shorter.into());
        let (key, _) = action
            .document()
            .map_err(StoreError::canonical("an action"))?;
        if let Some(result) = store.cached(key)? {
            return Ok(Some(result.into()));
        }
    }
    Ok(None)
}

/// Of a longer action, the first steps are looked at only.
const MOST_LENGTH: u64 = 10_000;
