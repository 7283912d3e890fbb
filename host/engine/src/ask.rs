//! Asks a plugin what it offers. The question is an action like any other: a worker loads the
//! library, and a store remembers the answer, so that each library is asked once.

use std::collections::BTreeMap;

use assay_core::{Action, ActionResult, Limits, PluginPin, StageKind};
use assay_store::Store;
use serde_json::Map;

use crate::cancel::Cancel;
use crate::error::EngineError;
use crate::plugin::PluginDescription;
use crate::source_file::read_file;
use crate::stages::PLUGIN;
use crate::supervise::Execution;

/// How long a plugin may take to say what it offers, where nothing is said: ages for loading a
/// library, and no plugin can hold up the planning for ever.
const LONGEST_MS: u64 = 5 * 60 * 1000;
/// More than any description has: it is read by the process that plans.
const LONGEST_DESCRIPTION: u64 = 16 << 20;

/// A plugin's description of itself.
pub(crate) struct Answer {
    pub(crate) description: PluginDescription,
    /// Whether the store remembered it, so that nothing of the library was executed.
    pub(crate) remembered: bool,
}

/// Asks the plugin whose library lies in the store.
///
/// # Errors
/// The worker failed, or what it left cannot be read.
pub(crate) fn ask(
    store: &Store,
    pin: &PluginPin,
    limits: Limits,
    cancel: &Cancel,
) -> Result<Answer, EngineError> {
    let action = question(pin);
    // No run names this action, so its document comes back here or nowhere.
    let key = store.put_action(&action)?;
    let cached = store.cached(key)?;
    let remembered = cached.is_some();
    let result = if let Some(result) = cached {
        result
    } else {
        let execution = Execution {
            store,
            data_dir: None,
            threads: 1,
            limits: limits.or(Limits {
                time_ms: Some(LONGEST_MS),
                ..Limits::default()
            }),
            card: None,
            cancel,
            observe: &|_| {},
        };
        execution
            .execute(key)
            .map_err(|failure| EngineError::Describe {
                plugin: pin.name.clone(),
                failure,
            })?
            .result
    };
    Ok(Answer {
        description: description(store, pin, &result)?,
        remembered,
    })
}

/// What the plugin answered when this store asked it; nothing where it was not asked, or the answer
/// cannot be read.
pub(crate) fn remembered(store: &Store, pin: &PluginPin) -> Option<PluginDescription> {
    let (key, _) = question(pin).document().ok()?;
    let result = store.cached(key).ok()??;
    description(store, pin, &result).ok()
}

fn question(pin: &PluginPin) -> Action {
    let (kind, plugin) = (StageKind::Describe, Some(pin.clone()));
    Action::new(kind, Map::new(), BTreeMap::new(), plugin, None)
}

fn description(
    store: &Store,
    pin: &PluginPin,
    result: &ActionResult,
) -> Result<PluginDescription, EngineError> {
    let path = store.artifact_file_path(result.artifact, PLUGIN)?;
    let bytes = read_file(&path, "a plugin's description", LONGEST_DESCRIPTION)?;
    serde_json::from_slice(&bytes).map_err(|source| EngineError::Description {
        plugin: pin.name.clone(),
        source,
    })
}
