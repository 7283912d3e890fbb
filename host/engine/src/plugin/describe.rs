//! A plugin's description of itself, as the document that the describe stage leaves in the store.

use assay_abi::{ErrorCode, LoadedPlugin};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::device::{CPU, CUDA_PORTABLE};

/// A plugin and its algorithms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginDescription {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Summary of the plugin, in one sentence.
    pub description: String,
    /// The algorithms that it offers.
    pub algorithms: Vec<AlgorithmDescription>,
}

/// One algorithm of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlgorithmDescription {
    /// The name that a pipeline file uses.
    pub name: String,
    /// Summary of the algorithm, in one sentence.
    pub summary: String,
    /// Where it was published.
    pub reference: String,
    /// The JSON Schema of its hyper-parameters.
    pub hyperparameters: Value,
    /// The metrics it reports while it trains.
    pub metrics: Vec<MetricDescription>,
}

/// The hyper-parameters that an algorithm's schema describes, by name.
pub(crate) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// A phrase that is longer is none.
const LONGEST_PHRASE: usize = 200;

impl AlgorithmDescription {
    /// True if neither threads nor vector instructions decide a bit of what it computes on a processor, as
    /// the plugin says.
    pub fn is_portable(&self) -> bool {
        self.is_portable_on(CPU)
    }

    /// True if it gives the same bits on a card, as the plugin says.
    pub fn is_portable_on_cards(&self) -> bool {
        self.is_portable() && self.is_portable_on(CUDA_PORTABLE)
    }

    fn is_portable_on(&self, device: &str) -> bool {
        let devices = self
            .hyperparameters
            .get("portable")
            .and_then(Value::as_array);
        devices.is_some_and(|devices| devices.iter().any(|it| it == device))
    }

    /// True if several of its learners compute side by side, on threads of one process, what each computes
    /// alone, as the plugin says.
    pub fn is_concurrent(&self) -> bool {
        let says = self.hyperparameters.get("concurrent");
        says.and_then(Value::as_bool).unwrap_or(false)
    }

    /// The signal that it gives to layers and its carrier, in a short phrase, where the plugin says so.
    pub fn transports(&self) -> Option<&str> {
        let phrase = self.hyperparameters.get("transports")?.as_str()?;
        (1..=LONGEST_PHRASE)
            .contains(&phrase.len())
            .then_some(phrase)
    }
}

/// A metric that an algorithm reports while it trains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricDescription {
    /// The name it is reported under.
    pub name: String,
    /// The quantity that it measures.
    pub description: String,
}

/// Asks a loaded plugin.
pub(crate) fn describe(plugin: LoadedPlugin) -> Result<PluginDescription, assay_abi::PluginError> {
    let identity = plugin.identity()?;
    let algorithms = plugin.algorithms()?.into_iter().map(|algorithm| {
        let hyperparameters =
            serde_json::from_str(&algorithm.hyperparameters).map_err(|error| {
                let message = format!("the schema of `{}` is not JSON", algorithm.name);
                let mut refused = assay_abi::PluginError::new(ErrorCode::OTHER, message);
                refused.chain.push(error.to_string().into());
                refused
            })?;
        Ok(AlgorithmDescription {
            name: algorithm.name.into(),
            summary: algorithm.summary.into(),
            reference: algorithm.reference.into(),
            hyperparameters,
            metrics: algorithm
                .metrics
                .into_iter()
                .map(|metric| MetricDescription {
                    name: metric.name.into(),
                    description: metric.description.into(),
                })
                .collect(),
        })
    });
    Ok(PluginDescription {
        name: identity.name.into(),
        version: identity.version.into(),
        description: identity.description.into(),
        algorithms: algorithms.collect::<Result<_, assay_abi::PluginError>>()?,
    })
}
