//! The algorithm under test, and learners of it whose every failure is put into words once.

use assay_abi::{
    AlgorithmInfo, BatchSource, CreateRequest, ErrorCode, LearnerHandle, LoadedPlugin, MetricSink,
    PluginError,
};
use assay_network::Network;
use serde_json::{Map, Value};

use crate::check::{Problem, failed, skipped};
use crate::host::{Conduct, Epoch, Recorder};
use crate::networks::candidates;
use crate::samples::Samples;

/// One algorithm of a plugin, and what decides the checks of it.
pub struct Subject<'a> {
    /// The plugin.
    pub plugin: LoadedPlugin,
    /// The algorithm, as the plugin describes it.
    pub algorithm: AlgorithmInfo,
    /// Decides the learners, and every sample that they are given.
    pub seed: u64,
    /// `cpu` or `cuda`.
    pub device: &'a str,
    /// Threads of one operation.
    pub threads: u32,
}

impl Subject<'_> {
    /// The plugin's own answer to a request for a learner.
    pub(crate) fn create(
        &self,
        network: &Network,
        hyperparameters: &str,
        seed: u64,
    ) -> Result<Learner, PluginError> {
        self.request(network, hyperparameters, seed, |request| {
            self.plugin.create(request)
        })
    }

    /// The plugin's own answer to a request for a learner of backpropagation; UNSUPPORTED too where it
    /// lacks the extension.
    pub(crate) fn backpropagation(&self, network: &Network) -> Result<Learner, PluginError> {
        self.request(network, "{}", self.seed, |request| {
            let created = self.plugin.create_backpropagation(request);
            created.unwrap_or_else(|| {
                let message = "the plugin has no extension `backpropagation/1`";
                Err(PluginError::new(ErrorCode::UNSUPPORTED, message))
            })
        })
    }

    fn request(
        &self,
        network: &Network,
        hyperparameters: &str,
        seed: u64,
        create: impl FnOnce(&CreateRequest<'_>) -> Result<LearnerHandle, PluginError>,
    ) -> Result<Learner, PluginError> {
        let json = serde_json::to_string(network)
            .map_err(|error| PluginError::from_error(ErrorCode::HOST, &error))?;
        let request = CreateRequest {
            algorithm: self.algorithm.name.as_str().into(),
            network: json.as_str().into(),
            hyperparameters: hyperparameters.into(),
            seed,
            device: self.device.into(),
            threads: self.threads,
        };
        Ok(Learner {
            handle: create(&request)?,
            outputs: network.outputs(),
        })
    }

    /// A learner with the algorithm's defaults and the seed of the check.
    pub(crate) fn learner(&self, network: &Network) -> Result<Learner, Problem> {
        self.seeded(network, self.seed)
    }

    /// A learner with the algorithm's defaults.
    pub(crate) fn seeded(&self, network: &Network, seed: u64) -> Result<Learner, Problem> {
        let created = self.create(network, &self.default_text(), seed);
        created.map_err(|error| unexpected("to create a learner with its defaults", &error))
    }

    /// The small network that most checks train: the first of [`candidates`] that the algorithm
    /// supports.
    pub(crate) fn network(&self) -> Result<Network, Problem> {
        self.first_supported(candidates().into_iter().map(|(_, network)| network))
    }

    /// The first network that the algorithm supports.
    pub(crate) fn first_supported(
        &self,
        networks: impl IntoIterator<Item = Network>,
    ) -> Result<Network, Problem> {
        let defaults = self.default_text();
        for network in networks {
            match self.create(&network, &defaults, self.seed) {
                Ok(_) => return Ok(network),
                Err(error) if error.code == ErrorCode::UNSUPPORTED => {}
                Err(error) => {
                    return Err(unexpected("to create a learner with its defaults", &error));
                }
            }
        }
        skipped("it supports none of the networks that this check could train")
    }

    /// The schema, where it is a JSON object.
    pub(crate) fn schema(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(&self.algorithm.hyperparameters).ok()
    }

    /// Every hyper-parameter with its schema.
    pub(crate) fn properties(&self) -> Map<String, Value> {
        let properties = self.schema().and_then(|mut it| it.remove("properties"));
        match properties {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        }
    }

    /// The defaults of the schema, which a host fills in before it creates a learner.
    pub(crate) fn defaults(&self) -> Map<String, Value> {
        let properties = self.properties().into_iter();
        properties
            .filter_map(|(name, property)| Some((name, property.get("default")?.clone())))
            .collect()
    }

    /// The defaults as JSON.
    pub(crate) fn default_text(&self) -> String {
        Value::Object(self.defaults()).to_string()
    }
}

/// A learner of the algorithm under test.
pub(crate) struct Learner {
    handle: LearnerHandle,
    outputs: usize,
}

/// Metrics and conduct of the learner in one epoch.
pub(crate) struct Trained {
    pub(crate) metrics: Recorder,
    pub(crate) conduct: Conduct,
}

impl Learner {
    /// The learner itself, for calls that one check alone makes.
    pub(crate) fn handle(&mut self) -> &mut LearnerHandle {
        &mut self.handle
    }

    /// Trains an epoch that has to end well.
    pub(crate) fn train(&mut self, epoch: u32, batches: &[Samples]) -> Result<Trained, Problem> {
        let (trained, result) = self.try_train(epoch, batches, None);
        result.map_err(|error| unexpected(&format!("to train epoch {epoch}"), &error))?;
        Ok(trained)
    }

    /// Trains an epoch that may be told to stop instead of being served batch `cancel_at`.
    pub(crate) fn try_train(
        &mut self,
        epoch: u32,
        batches: &[Samples],
        cancel_at: Option<usize>,
    ) -> (Trained, Result<(), PluginError>) {
        let mut source = Epoch::new(batches, cancel_at);
        let mut metrics = Recorder::default();
        let result = self.handle.train_epoch(
            epoch,
            &mut BatchSource::new(&mut source),
            &mut MetricSink::new(&mut metrics),
        );
        let conduct = source.conduct;
        (Trained { metrics, conduct }, result)
    }

    /// The outputs for `samples`, one row a sample. What the learner does not write stays NaN.
    pub(crate) fn predict(&mut self, samples: &Samples) -> Result<Vec<f32>, Problem> {
        let mut outputs = vec![f32::NAN; samples.count() * self.outputs];
        let predicted = samples
            .batch()
            .and_then(|batch| self.handle.predict(batch.inputs, &mut outputs));
        predicted.map_err(|error| unexpected("to predict", &error))?;
        Ok(outputs)
    }

    pub(crate) fn save(&mut self) -> Result<Vec<u8>, Problem> {
        let saved = self.handle.save();
        saved.map_err(|error| unexpected("to save its state", &error))
    }

    pub(crate) fn restore(&mut self, state: &[u8]) -> Result<(), Problem> {
        let restored = self.try_restore(state);
        restored.map_err(|error| unexpected("to restore a state that it had saved", &error))
    }

    pub(crate) fn try_restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        self.handle.restore(state)
    }

    pub(crate) fn directions(&mut self, samples: &Samples) -> Result<Vec<u8>, PluginError> {
        samples
            .batch()
            .and_then(|batch| self.handle.directions(batch, &[]))
    }
}

/// The failure of a call that had to succeed.
pub(crate) fn unexpected(asked: &str, error: &PluginError) -> Problem {
    Problem::Failed(format!("asked {asked}, it said: {error}"))
}

/// Fails unless `error`, which answers a request that had to be refused, has the `code` of that name
/// and is one that a person can read.
pub(crate) fn check_refusal(
    asked: &str,
    error: &PluginError,
    (code, name): (ErrorCode, &str),
) -> Result<(), Problem> {
    check_readable(asked, error)?;
    if error.code == code {
        return Ok(());
    }
    let found = error.code.0;
    failed(format!(
        "asked {asked}, it refused with the code {found} instead of {name}: {error}"
    ))
}

/// Fails unless `error` is one that a person can read.
pub(crate) fn check_readable(asked: &str, error: &PluginError) -> Result<(), Problem> {
    /// A message is a sentence or two.
    const LONGEST: usize = 1000;
    let message = error.message.trim();
    if error.code == ErrorCode::PANIC {
        return failed(format!("asked {asked}, it panicked: {error}"));
    }
    if message.is_empty() {
        return failed(format!("asked {asked}, it refused without a word"));
    }
    if message.len() > LONGEST || message.chars().any(char::is_control) {
        return failed(format!(
            "asked {asked}, it refused with {} bytes that are no sentence",
            message.len()
        ));
    }
    Ok(())
}
