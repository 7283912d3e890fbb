//! The parts of a request for a learner that are JSON: its network and its hyper-parameters.

use assay_abi::{ErrorCode, PluginError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::glue::Setting;

const NO_RECONSTRUCTION: &str = "it classifies only: the last layer has to be a `softmax`";
const NO_WINDOWS: &str =
    "it trains fully connected layers only: use `fc` in place of `lc` and `conv`";

const ONLY_TANH: &str =
    "its units are tanh, and nothing is normalised: leave `relu` and `norm` out";

/// A network, without what this plugin could not make sense of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    /// Channels, height and width.
    input: [u32; 3],
    /// In the notation of pipeline files, such as `fc 256`.
    layers: Vec<String>,
}

/// The number of inputs, then the units of each layer, of a network that can be trained.
///
/// # Errors
/// [`ErrorCode::UNSUPPORTED`]: it cannot.
pub(crate) fn units(network: &str) -> Result<Vec<u32>, PluginError> {
    let network: Network = serde_json::from_str(network)
        .map_err(|error| PluginError::from_error(ErrorCode::UNSUPPORTED, &error))?;
    let mut sizes = network.input.iter();
    let inputs = sizes.try_fold(1_u32, |product, &size| product.checked_mul(size));
    let inputs = inputs.filter(|&inputs| inputs > 0);
    let mut units = vec![inputs.ok_or_else(|| unsupported("its input is empty or too large"))?];
    let last = network.layers.len();
    for (l, layer) in (1..).zip(&network.layers) {
        let (kind, size) = layer.split_once(' ').unwrap_or((layer, ""));
        match kind {
            "lc" | "conv" => return Err(unsupported(NO_WINDOWS)),
            "fc" if l == last => return Err(unsupported(NO_RECONSTRUCTION)),
            _ => {}
        }
        if size.ends_with("relu") || size.ends_with("norm") {
            return Err(unsupported(ONLY_TANH));
        }
        let size = size.parse().ok().filter(|&size: &u32| size > 0);
        match (kind, size) {
            ("fc" | "softmax", Some(size)) => units.push(size),
            _ => {
                return Err(unsupported(&format!(
                    "layer {l}, `{layer}`, is not known here"
                )));
            }
        }
    }
    if last == 0 {
        return Err(unsupported("it has no layers"));
    }
    Ok(units)
}

fn unsupported(reason: &str) -> PluginError {
    PluginError::new(ErrorCode::UNSUPPORTED, reason)
}

/// The JSON Schema of the hyper-parameters, with the networks that a host refuses before anything runs.
pub(crate) fn schema(settings: &[Setting]) -> String {
    let properties: Map<String, Value> = settings
        .iter()
        .map(|setting| {
            let mut property = json!({
                "type": "number",
                "description": setting.description,
                "default": setting.initial,
            });
            for (keyword, bound) in [
                ("minimum", setting.minimum),
                ("exclusiveMinimum", setting.above),
                ("maximum", setting.maximum),
                ("exclusiveMaximum", setting.below),
            ] {
                if let Some(bound) = bound {
                    property[keyword] = json!(bound);
                }
            }
            (setting.name.clone(), property)
        })
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "refusals": [
            { "network": "reconstruction", "reason": NO_RECONSTRUCTION },
            { "network": "hidden-windows", "reason": NO_WINDOWS },
            { "network": "relu", "reason": ONLY_TANH },
            { "network": "normalised", "reason": ONLY_TANH },
        ],
    })
    .to_string()
}

/// The value of each setting, in their order, in the JSON object `text`.
///
/// # Errors
/// [`ErrorCode::HYPERPARAMETERS`]: no object, an unknown name, or a value that is no number within the bounds.
pub(crate) fn values(settings: &[Setting], text: &str) -> Result<Vec<f64>, PluginError> {
    let given: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| PluginError::from_error(ErrorCode::HYPERPARAMETERS, &error))?;
    let is_known = |name: &str| settings.iter().any(|setting| setting.name == name);
    if let Some(unknown) = given.keys().find(|name| !is_known(name)) {
        return Err(refused(format!("there is no hyper-parameter {unknown:?}")));
    }
    settings
        .iter()
        .map(|it| value(it, given.get(&it.name)))
        .collect()
}

fn value(setting: &Setting, given: Option<&Value>) -> Result<f64, PluginError> {
    let Some(given) = given else {
        return Ok(setting.initial);
    };
    let number = given.as_f64().filter(|number| {
        number.is_finite()
            && setting.minimum.is_none_or(|bound| *number >= bound)
            && setting.above.is_none_or(|bound| *number > bound)
            && setting.maximum.is_none_or(|bound| *number <= bound)
            && setting.below.is_none_or(|bound| *number < bound)
    });
    number.ok_or_else(|| {
        let bounds = [
            ("at least", setting.minimum),
            ("more than", setting.above),
            ("at most", setting.maximum),
            ("less than", setting.below),
        ];
        let bounds = bounds
            .iter()
            .filter_map(|(words, bound)| Some(format!(", {words} {}", (*bound)?)));
        let bounds: String = bounds.collect();
        refused(format!(
            "`{}` is {given}, expected a number{bounds}",
            setting.name
        ))
    })
}

fn refused(message: String) -> PluginError {
    PluginError::new(ErrorCode::HYPERPARAMETERS, message)
        .with_help("`pipeline plugin info` lists the hyper-parameters")
}
