//! Networks that an algorithm cannot train, declared so that a host refuses them before anything runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::layer::{Layer, UnitFunction};
use crate::network::Network;
use crate::task::Task;

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// Every network.
    Any,
    /// One that classifies.
    Classification,
    /// One that gives its input back.
    Reconstruction,
    /// One with a hidden layer that is locally connected or a convolution.
    HiddenWindows,
    /// One whose last layer gives an image.
    ImageOutput,
    /// One with a layer of `relu` units.
    Relu,
    /// One with a layer whose values are normalised.
    Normalised,
    /// One with fewer layers than that.
    FewerLayers(usize),
}

impl NetworkKind {
    /// True if `network` is of this kind.
    pub fn is(self, network: &Network) -> bool {
        let is_windowed =
            |layer: &Layer| matches!(layer, Layer::Local(..) | Layer::Convolution(..));
        let layers = network.layers();
        let mut activations = layers.iter().filter_map(|layer| layer.activation());
        match self {
            Self::Any => true,
            Self::Classification => network.task() == Task::Classification,
            Self::Reconstruction => network.task() == Task::Reconstruction,
            Self::HiddenWindows => layers.iter().rev().skip(1).any(is_windowed),
            Self::ImageOutput => layers.last().is_some_and(is_windowed),
            Self::Relu => activations.any(|it| it.function == UnitFunction::Relu),
            Self::Normalised => activations.any(|it| it.normalised),
            Self::FewerLayers(count) => layers.len() < count,
        }
    }
}

/// A kind of network that an algorithm cannot train, perhaps with some hyper-parameters only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind of network.
    pub network: NetworkKind,
    /// Only where each of these hyper-parameters has one of its values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Vec<Value>>,
    /// Only where each of these hyper-parameters has none of its values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unless: BTreeMap<String, Vec<Value>>,
    /// Why, and what to do instead.
    pub reason: String,
}

impl Refusal {
    /// The refusal of every network of a kind.
    pub fn of(network: NetworkKind, reason: &str) -> Self {
        Self {
            network,
            when: BTreeMap::new(),
            unless: BTreeMap::new(),
            reason: reason.to_owned(),
        }
    }

    /// Only where the hyper-parameter has one of these values.
    #[must_use]
    pub fn when<V: Into<Value>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.when.insert(name.to_owned(), values);
        self
    }

    /// Only where the hyper-parameter has none of these values.
    #[must_use]
    pub fn unless<V: Into<Value>>(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.unless.insert(name.to_owned(), values);
        self
    }

    /// True if it is of this network with these hyper-parameters. One that is not known yet decides
    /// for the network.
    pub fn applies(&self, network: &Network, hyperparameters: &Map<String, Value>) -> bool {
        let is_among = |(name, values): (&String, &Vec<Value>)| {
            let value = hyperparameters.get(name)?;
            Some(values.contains(value))
        };
        self.network.is(network)
            && self.when.iter().all(|it| is_among(it) == Some(true))
            && self.unless.iter().all(|it| is_among(it) == Some(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(layers: &[&str]) -> Network {
        Network::parse([1, 4, 4], layers).unwrap()
    }

    #[test]
    fn kinds_are_told_apart() {
        let classifier = network(&["conv 3x3 2 s1 norm", "fc 5", "softmax 3"]);
        let autoencoder = network(&["fc 5 relu", "fc 16"]);
        let image = network(&["fc 16", "fc 16"]);
        let to_image = network(&["lc 3x3 1 s1"]);
        for (kind, expected) in [
            (NetworkKind::Any, [true; 4]),
            (NetworkKind::Classification, [true, false, false, false]),
            (NetworkKind::Reconstruction, [false, true, true, true]),
            (NetworkKind::HiddenWindows, [true, false, false, false]),
            (NetworkKind::ImageOutput, [false, false, false, true]),
            (NetworkKind::Relu, [false, true, false, false]),
            (NetworkKind::Normalised, [true, false, false, false]),
            (NetworkKind::FewerLayers(2), [false, false, false, true]),
        ] {
            let found = [&classifier, &autoencoder, &image, &to_image].map(|it| kind.is(it));
            assert_eq!(found, expected, "{kind:?}");
        }
    }

    #[test]
    fn hyperparameters_narrow_a_refusal() {
        let network = network(&["fc 5", "softmax 3"]);
        let given = |text: &str| -> Map<String, Value> { serde_json::from_str(text).unwrap() };
        let refusal = Refusal::of(NetworkKind::Any, "no").when("losses", ["sim", "predsim"]);
        assert!(refusal.applies(&network, &given(r#"{"losses": "sim"}"#)));
        assert!(!refusal.applies(&network, &given(r#"{"losses": "pred"}"#)));
        assert!(!refusal.applies(&network, &given("{}")));
        let refusal = Refusal::of(NetworkKind::Any, "no").unless("units", [0]);
        assert!(refusal.applies(&network, &given(r#"{"units": 7}"#)));
        assert!(!refusal.applies(&network, &given(r#"{"units": 0}"#)));
        assert!(!refusal.applies(&network, &given("{}")));
        let text = serde_json::to_string(&refusal).unwrap();
        assert_eq!(serde_json::from_str::<Refusal>(&text).unwrap(), refusal);
    }
}
