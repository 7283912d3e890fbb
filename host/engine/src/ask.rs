//! Asks a plugin what it offers. The question is an action like any other: a worker loads the
//! library, and a store remembers the answer, so that each library is asked once.

use std::collections::BTreeMap;

use assay_core::{Action, PluginPin, StageKind};
use assay_store::Store;
use serde_json::Map;

use crate::cancel::Cancel;
use crate::plugin::PluginDescription;
use crate::session::EngineError;
use crate::stages::PLUGIN;
use crate::supervise::Execution;

/// What a plugin says of itself.
pub(crate) struct Answer {
    pub(crate) description: PluginDescription,
    /// Whether the store remembered it, so that nothing of the library was executed.
    pub(crate) remembered: bool,
}

/// Asks the plugin whose library lies in the store.
///
/// # Errors
/// The worker failed, or what it left cannot be read.
pub(crate) fn ask(store: &Store, pin: &PluginPin, cancel: &Cancel) -> Result<Answer, EngineError> {
    let action = Action {
        kind: StageKind::Describe,
        revision: StageKind::Describe.revision(),
        parameters: Map::new(),
        inputs: BTreeMap::new(),
        plugin: Some(pin.clone()),
        environment: None,
    };
    let (key, _) = action.document().map_err(EngineError::Canonical)?;
    let cached = store.cached(key)?;
    let remembered = cached.is_some();
    let result = if let Some(result) = cached {
        result
    } else {
        store.put_action(&action)?;
        let execution = Execution {
            store,
            data_dir: None,
            threads: 1,
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
    let path = store.artifact_file_path(result.artifact, PLUGIN)?;
    let bytes = std::fs::read(&path).map_err(|source| EngineError::File {
        what: "read",
        path: path.clone(),
        source,
    })?;
    let description =
        serde_json::from_slice(&bytes).map_err(|source| EngineError::Description {
            plugin: pin.name.clone(),
            source,
        })?;
    Ok(Answer {
        description,
        remembered,
    })
}
