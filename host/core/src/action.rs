//! An action: everything that decides a stage's output, and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::canonical::{CanonicalError, canonical_json};
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
    /// Threads that one operation may use.
    pub threads: u32,
    /// The vector instructions that the kernels may use.
    pub cpu_capability: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_without_a_card_is_read_and_written_as_before_there_were_any() {
        let document = r#"{"cpu_capability":"avx2","device":"cpu","dtype":"float32","libtorch":"2.11.0","threads":1}"#;
        let environment: Environment = serde_json::from_str(document).unwrap();
        assert_eq!(environment.cuda, None);
        assert_eq!(canonical_json(&environment).unwrap(), document.as_bytes());
    }
}
