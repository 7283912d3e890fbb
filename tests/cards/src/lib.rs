//! A plugin for the tests of devices. It claims a libtorch, though it uses none, so that the host asks
//! for the libraries that one would use; each epoch of it prints what the worker was given, and it can
//! fail with the words of a card that fails. One algorithm of it shares workers.

// It speaks in its worker's log.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assay_abi::{
    AlgorithmInfo, Batch, BatchSource, CreateRequest, ErrorCode, Handshake, Identity, Learner,
    LearnerHandle, MetricSink, PluginDefinition, PluginError, RootHeader, TensorView, root_header,
};
use assay_network::Network;
use serde_json::{Map, Value, json};

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "milliseconds": { "type": "integer", "default": 0, "description": "How long an epoch takes." },
        "mebibytes": { "type": "integer", "default": 0, "description": "The memory that an epoch takes." },
        "epoch": { "type": "integer", "default": 1, "description": "The epoch in which it fails." },
        "card": { "type": "string", "default": "", "description": "The card it fails on; all if empty." },
        "words": { "type": "string", "default": "", "description": "The error; none if empty." },
        "aborts": { "type": "boolean", "default": false, "description": "Print it and abort instead." }
    },
    "additionalProperties": false
}"#;

/// That of an algorithm whose learners share a worker on a card.
fn sharing_schema() -> Result<String, PluginError> {
    let mut schema: Value = serde_json::from_str(SCHEMA)
        .map_err(|error| PluginError::from_error(ErrorCode::OTHER, &error))?;
    schema["portable"] = json!(["cpu", "cuda-portable"]);
    schema["concurrent"] = json!(true);
    Ok(schema.to_string())
}

/// Environment variables that a worker gets for its card.
const VARIABLES: [&str; 5] = [
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCH_BLAS_PREFER_CUBLASLT",
];

/// An empty safetensors file: the length of its header, and the header.
const EMPTY_STATE: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

struct Definition;

impl PluginDefinition for Definition {
    fn identity() -> Identity {
        Identity::new("cards", env!("CARGO_PKG_VERSION"), "Says what it is given.")
    }

    fn algorithms() -> Result<Vec<AlgorithmInfo>, PluginError> {
        let algorithm = |name: &str, hyperparameters: &str| AlgorithmInfo {
            name: name.into(),
            summary: "Says what it is given.".into(),
            reference: "tests".into(),
            hyperparameters: hyperparameters.into(),
            metrics: Vec::new().into(),
        };
        Ok(vec![
            algorithm("cards", SCHEMA),
            algorithm("sharing", &sharing_schema()?),
        ])
    }

    fn create(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        let invalid = |text: String| PluginError::new(ErrorCode::UNSUPPORTED, text);
        let network: Network = serde_json::from_str(request.network.as_str())
            .map_err(|error| invalid(error.to_string()))?;
        let settings = serde_json::from_str(request.hyperparameters.as_str())
            .map_err(|error| invalid(error.to_string()))?;
        Ok(LearnerHandle::new(Cards {
            settings,
            device: request.device.as_str().to_owned(),
            seed: request.seed,
            outputs: network.outputs(),
        }))
    }
}

struct Cards {
    settings: Map<String, Value>,
    device: String,
    seed: u64,
    /// Outputs of the network.
    outputs: usize,
}

impl Cards {
    fn text(&self, name: &str) -> &str {
        self.settings
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    fn number(&self, name: &str) -> u64 {
        self.settings.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Fails as the settings say.
    fn fail(&self, epoch: u32) -> Result<(), PluginError> {
        let (card, words) = (self.text("card"), self.text("words"));
        let is_here = card.is_empty() || card == variable(VARIABLES[0]);
        if words.is_empty() || !is_here || u64::from(epoch) != self.number("epoch") {
            return Ok(());
        }
        if self.settings.get("aborts") == Some(&Value::Bool(true)) {
            eprintln!(
                "terminate called after throwing an instance of 'c10::Error'\n  what():  {words}"
            );
            std::process::abort();
        }
        Err(PluginError::new(ErrorCode::OTHER, words))
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}

impl Learner for Cards {
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        let begun = milliseconds();
        // Written to, so that it is there.
        let memory = vec![1_u8; self.number("mebibytes") as usize * (1 << 20)];
        thread::sleep(Duration::from_millis(self.number("milliseconds")));
        std::hint::black_box(&memory);
        self.fail(epoch)?;
        while batches.next_batch()?.is_some() {
            metrics.record("batch_loss", &[1.0])?;
        }
        let variables = VARIABLES.map(|name| (name.to_owned(), variable(name).into()));
        let given = json!({
            "device": self.device,
            "process": std::process::id(),
            "epoch": epoch,
            "seed": self.seed,
            "begun": begun,
            "ended": milliseconds(),
            "variables": Map::from_iter(variables),
        });
        println!("given {given}");
        Ok(())
    }

    fn predict(&mut self, _: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        outputs.fill(self.outputs as f32);
        Ok(())
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        Ok(EMPTY_STATE.to_owned())
    }

    fn restore(&mut self, _state: &[u8]) -> Result<(), PluginError> {
        Ok(())
    }

    fn directions(&mut self, _batch: Batch<'_>, _noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        Ok(EMPTY_STATE.to_owned())
    }
}

#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".assay_handshake")]
static ASSAY_HANDSHAKE: Handshake = Handshake::current("2.11.0");

#[used]
#[unsafe(no_mangle)]
static ASSAY_PLUGIN_V1: RootHeader = root_header::<Definition>();
