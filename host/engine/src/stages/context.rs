//! Everything that a stage sees of its action, and what it gives back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use assay_abi::{CreateRequest, ErrorCode, LearnerHandle, LoadedPlugin, PluginError};
use assay_core::{Action, Advice, ArtifactHash, Environment};
use assay_data::DatasetError;
use assay_network::Network;
use assay_store::SourceHashes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::train::TrainingParameters;
use crate::device::CUDA_PORTABLE;
use crate::event::{Output, Progress, Reporter, Unit};
use crate::plugin::{LoadFailure, load};

/// Everything that a stage may see and touch.
pub(crate) struct Context {
    pub(crate) action: Action,
    /// The files of each input by role and name; their bytes were verified.
    pub(crate) inputs: BTreeMap<String, BTreeMap<String, PathBuf>>,
    /// The library of the plugin; its bytes were verified.
    pub(crate) plugin: Option<PathBuf>,
    /// A training to go on from, in place of the first epochs.
    pub(crate) shorter: Option<Shorter>,
    /// Where outputs go; empty when the stage begins.
    pub(crate) out: PathBuf,
    /// Scratch folder, which survives an interruption.
    pub(crate) scratch: PathBuf,
    /// Where the user keeps datasets.
    pub(crate) data_dir: Option<PathBuf>,
    /// How many processors the host's own work may use; it decides nothing.
    pub(crate) threads: usize,
    /// The action is portable and computes on a card.
    pub(crate) on_card: bool,
    /// Hashes of files outside the store, to check what was planned with.
    pub(crate) sources: Mutex<SourceHashes>,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) cancelled: Arc<AtomicBool>,
}

/// Outputs of a stage.
#[derive(Default)]
pub(crate) struct Outputs {
    pub(crate) files: Vec<Output>,
    /// Time that interrupted executions had taken before, in milliseconds.
    pub(crate) earlier_ms: u64,
    /// The artifact of a shorter training that it went on from.
    pub(crate) continued_from: Option<ArtifactHash>,
    /// The time of the training pass of each epoch since then, in milliseconds.
    pub(crate) epoch_ms: Vec<u64>,
    /// The multiply-adds for each sample in the last of those epochs.
    pub(crate) multiply_adds: Option<u64>,
}

/// The artifact of the same training with fewer epochs.
pub(crate) struct Shorter {
    pub(crate) artifact: ArtifactHash,
    /// Its files by name; their bytes were verified.
    pub(crate) files: BTreeMap<String, PathBuf>,
}

impl Outputs {
    pub(crate) fn add(&mut self, name: &str, media_type: &str) {
        self.files.push(Output {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
        });
    }
}

/// Why a stage gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error("stopped")]
    Cancelled,
    #[error("{0}")]
    Invalid(String),
    #[error("the action has no {0}; it was made by another version of Assay")]
    Incomplete(String),
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not the JSON document it should be", path.display())]
    Document {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("the parameters are not those of this stage")]
    Parameters(#[source] serde_json::Error),
    #[error(transparent)]
    Load(#[from] LoadFailure),
    #[error("the plugin `{name}` failed while it was asked to {doing}")]
    Plugin {
        name: String,
        doing: String,
        source: PluginError,
    },
    #[error("the plugin `{name}` {what}")]
    Answer { name: String, what: String },
    #[error("the plugin `{name}` has no backpropagation to compare directions with")]
    NoBackpropagation { name: String },
    #[error("the training diverged: {0}")]
    Diverged(String),
    #[error(transparent)]
    Dataset(#[from] Box<DatasetError>),
    #[error(transparent)]
    Data(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl Advice for StageError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Plugin { source, .. } => source.help.as_str().into(),
            Self::Answer { .. } => "the plugin is at fault: its author should know".into(),
            Self::NoBackpropagation { .. } => {
                "leave out `alignment`, or build the plugin with an SDK of version 0.3 or later"
                    .into()
            }
            Self::Diverged(_) => "try a smaller learning_rate or a larger epsilon".into(),
            Self::Load(LoadFailure::Plugin(error)) => error.help(),
            Self::Dataset(error) => error.help(),
            Self::Load(LoadFailure::Open(_)) => {
                "does it find its libtorch? `scripts/setup` puts one in place".into()
            }
            Self::Load(LoadFailure::Interface(_) | LoadFailure::NoRoot) => {
                "build it again with the SDK of this host's version".into()
            }
            _ => "".into(),
        }
    }
}

/// Settings that decide a learner, beside the environment.
#[derive(Clone, Copy)]
pub(super) struct LearnerSettings<'a> {
    pub(super) algorithm: &'a str,
    pub(super) network: &'a Network,
    pub(super) hyperparameters: &'a Map<String, Value>,
    pub(super) seed: u64,
}

impl Context {
    /// The parameters of the action as the stage's own type.
    pub(super) fn parameters<T: DeserializeOwned>(&self) -> Result<T, StageError> {
        let parameters = Value::Object(self.action.parameters.clone());
        serde_json::from_value(parameters).map_err(StageError::Parameters)
    }

    /// The file `name` of the input `role`.
    pub(super) fn input(&self, role: &str, name: &str) -> Result<&Path, StageError> {
        self.optional_input(role, name)
            .ok_or_else(|| StageError::Incomplete(format!("input `{name}` of `{role}`")))
    }

    pub(super) fn optional_input(&self, role: &str, name: &str) -> Option<&Path> {
        self.inputs.get(role)?.get(name).map(PathBuf::as_path)
    }

    /// The artifact in the input `role`.
    pub(super) fn input_artifact(&self, role: &str) -> Result<ArtifactHash, StageError> {
        let artifact = self.action.inputs.get(role).copied();
        artifact.ok_or_else(|| StageError::Incomplete(format!("input `{role}`")))
    }

    pub(super) fn check_cancelled(&self) -> Result<(), StageError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(StageError::Cancelled);
        }
        Ok(())
    }

    pub(super) fn load_plugin(&self) -> Result<LoadedPlugin, StageError> {
        Ok(self.try_load_plugin()??)
    }

    /// Loads the action's library; how that went is for the caller to judge.
    pub(super) fn try_load_plugin(&self) -> Result<Result<LoadedPlugin, LoadFailure>, StageError> {
        let path = self.plugin.as_ref();
        let path = path.ok_or_else(|| StageError::Incomplete("plugin".to_owned()))?;
        // SAFETY: an action names a library only once the user's trust has admitted it, and the worker
        // has found the object's bytes to be those of the hash in the action. Objects never change.
        Ok(unsafe { load(path) })
    }

    /// A fresh learner for the training.
    pub(super) fn learner(
        &self,
        training: &TrainingParameters,
    ) -> Result<LearnerHandle, StageError> {
        self.create_learner(LearnerSettings {
            algorithm: &training.algorithm,
            network: &training.network,
            hyperparameters: &training.hyperparameters,
            seed: training.seed,
        })
    }

    fn environment(&self) -> Result<&Environment, StageError> {
        let environment = self.action.environment.as_ref();
        environment.ok_or_else(|| StageError::Incomplete("environment".to_owned()))
    }

    /// The threads that learners compute with in `environment`.
    pub(super) fn compute_threads(&self, environment: &Environment) -> u32 {
        let any = || u32::try_from(self.threads).unwrap_or(u32::MAX);
        environment.threads.unwrap_or_else(any)
    }

    /// The device of the action: `cpu` or `cuda`.
    pub(super) fn device(&self) -> Result<&str, StageError> {
        Ok(&self.environment()?.device)
    }

    /// The device that learners compute on in `environment`: that, or a card with the bits of a processor.
    pub(super) fn computes_on<'a>(&self, environment: &'a Environment) -> &'a str {
        if self.on_card {
            CUDA_PORTABLE
        } else {
            &environment.device
        }
    }

    /// A fresh learner.
    pub(super) fn create_learner(
        &self,
        settings: LearnerSettings<'_>,
    ) -> Result<LearnerHandle, StageError> {
        self.request(settings, LoadedPlugin::create)?
            .map_err(|error| self.plugin_error("create a learner", error))
    }

    /// A fresh learner of backpropagation for the network of the training.
    pub(super) fn backpropagation(
        &self,
        training: &TrainingParameters,
    ) -> Result<LearnerHandle, StageError> {
        let settings = LearnerSettings {
            algorithm: "",
            network: &training.network,
            hyperparameters: &Map::new(),
            seed: training.seed,
        };
        self.request(settings, LoadedPlugin::create_backpropagation)?
            .ok_or_else(|| StageError::NoBackpropagation {
                name: self.plugin_name().to_owned(),
            })?
            .map_err(|error| self.plugin_error("create a learner of backpropagation", error))
    }

    /// The plugin's answer to a request with these settings.
    fn request<T>(
        &self,
        settings: LearnerSettings<'_>,
        ask: impl FnOnce(&LoadedPlugin, &CreateRequest<'_>) -> T,
    ) -> Result<T, StageError> {
        let environment = self.environment()?;
        let to_json = |value: Result<String, _>| value.map_err(StageError::Parameters);
        let network = to_json(serde_json::to_string(settings.network))?;
        let hyperparameters = to_json(serde_json::to_string(settings.hyperparameters))?;
        let device = self.computes_on(environment);
        let request = CreateRequest {
            algorithm: settings.algorithm.into(),
            network: network.as_str().into(),
            hyperparameters: hyperparameters.as_str().into(),
            seed: settings.seed,
            device: device.into(),
            threads: self.compute_threads(environment),
        };
        Ok(ask(&self.load_plugin()?, &request))
    }

    /// Name of the plugin; empty where the action has none.
    pub(super) fn plugin_name(&self) -> &str {
        self.action.plugin.as_ref().map_or("", |pin| &pin.name)
    }

    /// The plugin's own error, or the cancellation that it hands back.
    pub(super) fn plugin_error(&self, doing: &str, source: PluginError) -> StageError {
        if source.is_cancelled() {
            return StageError::Cancelled;
        }
        StageError::Plugin {
            name: self.plugin_name().to_owned(),
            doing: doing.to_owned(),
            source,
        }
    }
}

/// A part of an action: what it is called and where it lies in the whole, for progress.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) name: String,
    /// The fraction of the action that is done when the phase begins.
    pub(super) begin: f64,
    /// The fraction that the phase is.
    pub(super) size: f64,
}

impl Phase {
    pub(super) fn report(&self, context: &Context, done: usize, total: usize) {
        let part = done as f64 / total.max(1) as f64;
        context.reporter.progress(Progress {
            phase: self.name.clone(),
            done: done as u64,
            total: total as u64,
            unit: Unit::Samples,
            fraction: self.begin + self.size * part,
        });
    }
}

/// The error of a library as a stage's error, its chain kept.
pub(super) fn data(error: impl std::error::Error + Send + Sync + 'static) -> StageError {
    StageError::Data(Box::new(error))
}

/// Writes an output file; the worker flushes outputs to disk before it reports them.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), StageError> {
    fs::write(path, bytes).map_err(|source| StageError::File {
        what: "write",
        path: path.to_owned(),
        source,
    })
}

/// Reads an input that a plugin or a person may have made.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, StageError> {
    assay_files::read(path, u64::MAX).map_err(|source| StageError::File {
        what: "read",
        path: path.to_owned(),
        source,
    })
}

pub(super) fn read_document<T: DeserializeOwned>(path: &Path) -> Result<T, StageError> {
    serde_json::from_slice(&read(path)?).map_err(|source| StageError::Document {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn write_document<T: Serialize>(path: &Path, value: &T) -> Result<(), StageError> {
    let bytes = assay_core::canonical_json(value).map_err(data)?;
    write(path, &bytes)
}

/// The plugin's own cancellation code, for what the host serves it.
pub(super) fn cancelled() -> PluginError {
    PluginError::new(ErrorCode::CANCELLED, "stopped")
}
