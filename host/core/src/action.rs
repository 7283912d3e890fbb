//! An action: everything that decides a stage's output, and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::canonical::{CanonicalError, ObjectWriter, Spelled, canonical_json};
use crate::hash::{ActionKey, ArtifactHash, PluginHash};
use crate::kind::StageKind;

/// The plugin that an action uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginPin {
    /// The name it was asked for by.
    pub name: String,
    /// The hash of its shared library.
    pub hash: PluginHash,
    /// The version of the boundary it was built for.
    pub abi: String,
}

/// The numerical environment: what can change the bits of a result beside its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The version of libtorch.
    pub libtorch: String,
    /// `cpu` or `cuda`.
    pub device: String,
    /// The element type of parameters and activations.
    pub dtype: String,
    /// Threads that one operation may use; absent where they decide no bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// The vector instructions that the kernels may use; absent where they decide no bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_capability: Option<String>,
    /// Properties of a CUDA device that decide bits; absent where nothing is computed on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<CudaEnvironment>,
}

/// Properties that can change the bits of a result computed on a CUDA device. Which one of several
/// cards of a kind it was cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CudaEnvironment {
    /// The kind of card, as its driver calls it.
    pub card: String,
    /// Its compute capability, such as `9.0`.
    pub compute_capability: String,
    /// Its number of multiprocessors, by which cuBLAS and cuDNN choose among their kernels.
    pub multiprocessors: u32,
    /// The version of the CUDA runtime, or `none`.
    pub runtime: String,
    /// The version of cuBLAS, or `none`.
    pub cublas: String,
    /// The version of cuDNN, or `none`.
    pub cudnn: String,
    /// Whether products and convolutions may round their factors to TF32.
    pub tf32: bool,
    /// Whether libtorch uses deterministic algorithms alone.
    pub deterministic_algorithms: bool,
    /// The workspace of cuBLAS, as `CUBLAS_WORKSPACE_CONFIG` spells it.
    pub cublas_workspace: String,
}

/// Everything that decides a stage's output. Its canonical JSON is stored before it runs, and
/// the hash of that is its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The kind of the stage's work.
    pub kind: StageKind,
    /// The revision of the code that does it ([`StageKind::revision`]).
    pub revision: u32,
    /// The parameters, defaults filled in.
    pub parameters: Map<String, Value>,
    /// The artifacts it reads, by role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, ArtifactHash>,
    /// The plugin it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginPin>,
    /// The numerical environment, for stages that compute with floats in a plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
}

impl Action {
    /// The action of this version of the program.
    pub fn new(
        kind: StageKind,
        parameters: Map<String, Value>,
        inputs: BTreeMap<String, ArtifactHash>,
        plugin: Option<PluginPin>,
        environment: Option<Environment>,
    ) -> Self {
        Self {
            kind,
            revision: kind.revision(),
            parameters,
            inputs,
            plugin,
            environment,
        }
    }

    /// The document and its key.
    ///
    /// # Errors
    /// A parameter has no canonical JSON.
    pub fn document(&self) -> Result<(ActionKey, Vec<u8>), CanonicalError> {
        let bytes = canonical_json(self)?;
        Ok((ActionKey::of(&bytes), bytes))
    }
}

/// The parts of an action that need not become one: of thousands only the keys are wanted.
#[derive(Clone, Copy, Debug)]
pub struct ActionParts<'a> {
    /// As [`Action::kind`].
    pub kind: StageKind,
    /// As [`Action::revision`].
    pub revision: u32,
    /// As [`Action::parameters`].
    pub parameters: &'a Map<String, Value>,
    /// As [`Action::inputs`].
    pub inputs: &'a BTreeMap<String, ArtifactHash>,
    /// As [`Action::plugin`].
    pub plugin: Option<&'a Spelled<PluginPin>>,
    /// As [`Action::environment`].
    pub environment: Option<&'a Spelled<Environment>>,
}

impl ActionParts<'_> {
    /// The key of the action, as [`Action::document`] gives it.
    ///
    /// # Errors
    /// A parameter has no canonical JSON.
    pub fn key(self) -> Result<ActionKey, CanonicalError> {
        let Self {
            kind,
            revision,
            parameters,
            inputs,
            plugin,
            environment,
        } = self;
        let mut object = ObjectWriter::new();
        if let Some(environment) = environment {
            object.spelled("environment", environment)?;
        }
        if !inputs.is_empty() {
            object.field("inputs", inputs)?;
        }
        object.field("kind", &kind)?;
        object.object("parameters", parameters)?;
        if let Some(plugin) = plugin {
            object.spelled("plugin", plugin)?;
        }
        object.field("revision", &revision)?;
        Ok(ActionKey::of(&object.finish()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_action() -> impl Strategy<Value = Action> {
        let hash = any::<[u8; 32]>().prop_map(ArtifactHash::from_bytes);
        let inputs = prop::collection::btree_map(".*", hash, 0..4);
        let environment = any::<(u32, bool)>().prop_map(|(threads, has_card)| Environment {
            libtorch: "2.11.0".to_owned(),
            device: "cpu".to_owned(),
            dtype: "float32".to_owned(),
            threads: Some(threads),
            cpu_capability: Some("avx2".to_owned()),
            cuda: has_card.then(|| CudaEnvironment {
                card: "H100".to_owned(),
                compute_capability: "9.0".to_owned(),
                multiprocessors: 132,
                runtime: "none".to_owned(),
                cublas: "none".to_owned(),
                cudnn: "none".to_owned(),
                tf32: false,
                deterministic_algorithms: true,
                cublas_workspace: ":4096:8".to_owned(),
            }),
        });
        let plugin = any::<[u8; 32]>().prop_map(|hash| PluginPin {
            name: "bp".to_owned(),
            hash: PluginHash::from_bytes(hash),
            abi: "1.0".to_owned(),
        });
        let parameters = prop::collection::hash_map(".*", -1e9..1e9_f64, 0..4);
        let (plugin, environment) = (prop::option::of(plugin), prop::option::of(environment));
        (parameters, inputs, plugin, environment).prop_map(
            |(parameters, inputs, plugin, environment)| {
                let mut fields: Map<String, Value> = Map::new();
                fields.extend(parameters.into_iter().map(|(name, it)| (name, json!([it]))));
                Action::new(StageKind::Train, fields, inputs, plugin, environment)
            },
        )
    }

    proptest! {
        #[test]
        fn the_parts_have_the_key_of_the_document(action in any_action()) {
            let (key, bytes) = action.document().unwrap();
            let plugin = action.plugin.clone().map(|plugin| Spelled::new(plugin).unwrap());
            let environment = action.environment.clone();
            let environment = environment.map(|environment| Spelled::new(environment).unwrap());
            let parts = ActionParts {
                kind: action.kind,
                revision: action.revision,
                parameters: &action.parameters,
                inputs: &action.inputs,
                plugin: plugin.as_ref(),
                environment: environment.as_ref(),
            };
            prop_assert_eq!(parts.key().unwrap(), key);
            prop_assert_eq!(key, ActionKey::of(&bytes));
            prop_assert_eq!(serde_json::from_slice::<Action>(&bytes).unwrap(), action);
        }
    }

    #[test]
    fn an_environment_without_a_card_is_read_and_written_as_before_there_were_any() {
        let document = r#"{"cpu_capability":"avx2","device":"cpu","dtype":"float32","libtorch":"2.11.0","threads":1}"#;
        let environment: Environment = serde_json::from_str(document).unwrap();
        assert_eq!(environment.cuda, None);
        assert_eq!(canonical_json(&environment).unwrap(), document.as_bytes());
    }
}
