//! The hyper-parameters: their schema, and how they are read.

use assay_abi::{ErrorCode, PluginError};
use serde_json::{Map, Value, json};

use crate::defect::Defect;

/// Adam's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) learning_rate: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) epsilon: f64,
}

const DEFAULTS: Settings = Settings {
    learning_rate: 3e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
};

/// The schema that the algorithm states.
pub(crate) fn schema(defect: Defect) -> Value {
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "learning_rate": {
                "type": "number", "exclusiveMinimum": 0.0, "default": DEFAULTS.learning_rate
            },
            "beta1": {
                "type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0, "default": DEFAULTS.beta1
            },
            "beta2": {
                "type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0, "default": DEFAULTS.beta2
            },
            "epsilon": { "type": "number", "exclusiveMinimum": 0.0, "default": DEFAULTS.epsilon },
        },
    });
    match defect {
        Defect::NoneBounded | Defect::Ascends => {
            schema["properties"]["epsilon"]["maximum"] = json!(1.0);
        }
        Defect::None | Defect::CountsThreads | Defect::MindsInstructions => {
            schema["portable"] = json!(["cpu"]);
            schema["concurrent"] = json!(defect == Defect::None);
        }
        Defect::NoticesOthers => schema["concurrent"] = json!(true),
        Defect::NoDefault => {
            if let Some(property) = schema["properties"]["beta1"].as_object_mut() {
                property.remove("default");
            }
        }
        Defect::NoSchema => schema["properties"]["beta1"]["type"] = json!("nummer"),
        Defect::RefusesOwnDefault => {
            schema["properties"]["beta1"]["not"] = json!({ "const": DEFAULTS.beta1 });
        }
        Defect::OtherDefault => schema["properties"]["learning_rate"]["default"] = json!(2e-3),
        _ => {}
    }
    schema
}

/// Reads a JSON object of hyper-parameters.
pub(crate) fn parse(text: &str, defect: Defect) -> Result<Settings, PluginError> {
    let given: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| refused(defect, format!("the settings are no JSON object: {error}")))?;
    let mut settings = DEFAULTS;
    for (key, value) in &given {
        let Some(number) = value.as_f64() else {
            return Err(refused(
                defect,
                format!("`{key}` is {value}, expected a number"),
            ));
        };
        let most = match (
            key.as_str(),
            schema(defect)["properties"][key].get("maximum"),
        ) {
            (_, Some(maximum)) => maximum.as_f64().unwrap_or(f64::MAX),
            _ => f64::MAX,
        };
        let (field, fits) = match key.as_str() {
            "learning_rate" => (
                &mut settings.learning_rate,
                number > 0.0 || defect == Defect::TakesBadValues,
            ),
            "beta1" => (&mut settings.beta1, (0.0..1.0).contains(&number)),
            "beta2" => (&mut settings.beta2, (0.0..1.0).contains(&number)),
            "epsilon" => (&mut settings.epsilon, number > 0.0 && number <= most),
            _ if defect == Defect::TakesUnknownKeys => continue,
            _ => return Err(refused(defect, format!("there is no setting `{key}`"))),
        };
        if !fits {
            return Err(refused(
                defect,
                format!("`{key}` is {value}, which is out of range"),
            ));
        }
        *field = number;
    }
    Ok(settings)
}

fn refused(defect: Defect, message: String) -> PluginError {
    let message = if defect == Defect::RefusesWithoutWords {
        String::new()
    } else {
        message
    };
    PluginError::new(ErrorCode::HYPERPARAMETERS, message)
}
