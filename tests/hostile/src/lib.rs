//! A plugin with one algorithm for each misbehaviour. All train in the same way, which is not at
//! all, and misbehave at one place; the algorithm `honest` does not.
//!
//! An attempt that is refused becomes the plugin's error. One that succeeds trains to its end, so
//! that a test notices the containment that is missing.

// It speaks in its worker's log.
#![allow(clippy::print_stderr)]

mod attempts;
mod calls;
mod learner;
mod misbehaviours;

use assay_abi::{
    AlgorithmInfo, CreateRequest, ErrorCode, Handshake, Identity, LearnerHandle, PluginDefinition,
    PluginError, RootHeader, root_header,
};
use assay_network::Network;
use serde_json::Value;

use self::learner::Hostile;
use self::misbehaviours::{MISBEHAVIOURS, Misbehaviour};

/// Hyper-parameters of every algorithm: a path to misbehave with.
const SCHEMA: &str = r#"{
    "type": "object",
    "properties": { "target": { "type": "string", "default": "" } },
    "additionalProperties": false
}"#;

struct Definition;

impl PluginDefinition for Definition {
    fn identity() -> Identity {
        Identity::new("hostile", "0.1.0", "Misbehaves.")
    }

    fn algorithms() -> Result<Vec<AlgorithmInfo>, PluginError> {
        let info = |(name, _): &(&str, Misbehaviour)| AlgorithmInfo {
            name: (*name).into(),
            summary: "Misbehaves.".into(),
            reference: String::new().into(),
            hyperparameters: SCHEMA.into(),
            metrics: Vec::new().into(),
        };
        Ok(MISBEHAVIOURS.iter().map(info).collect())
    }

    fn create(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        let invalid = |text: String| PluginError::new(ErrorCode::UNSUPPORTED, text);
        let network: Network = serde_json::from_str(request.network.as_str())
            .map_err(|error| invalid(error.to_string()))?;
        let hyperparameters: Value = serde_json::from_str(request.hyperparameters.as_str())
            .map_err(|error| invalid(error.to_string()))?;
        let target = hyperparameters.get("target").and_then(Value::as_str);
        let misbehaviour = MISBEHAVIOURS
            .iter()
            .find(|(name, _)| *name == request.algorithm);
        let (_, misbehaviour) =
            misbehaviour.ok_or_else(|| invalid("there is no such misbehaviour".to_owned()))?;
        Ok(LearnerHandle::new(Hostile {
            misbehaviour: *misbehaviour,
            target: target.unwrap_or_default().to_owned(),
            outputs: network.outputs(),
            clock: 0.0,
        }))
    }
}

#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".assay_handshake")]
static ASSAY_HANDSHAKE: Handshake = Handshake::current("");

#[used]
#[unsafe(no_mangle)]
static ASSAY_PLUGIN_V1: RootHeader = root_header::<Definition>();
