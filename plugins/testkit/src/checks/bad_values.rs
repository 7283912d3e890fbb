//! `refuses-bad-values`: whether hyper-parameters outside the schema are refused, in words.

use assay_abi::ErrorCode;
use assay_network::Network;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::check::{Body, Check, Evidence, Problem, failed, skipped};
use crate::subject::{Subject, readable};

pub(super) const CHECK: Check = Check {
    name: "refuses-bad-values",
    promise: "Values of the wrong type or outside their range, unknown keys and texts that are no \
              object are refused, each with an error of the code HYPERPARAMETERS that names what \
              is wrong.",
    why: "A misspelt or impossible setting that is taken in silence gives a result that is not \
          what its name says.",
    body: Body::Algorithm(run),
};

/// No plugin means this.
const UNKNOWN: &str = "no_such_hyperparameter";

fn run(subject: &Subject<'_>) -> Evidence {
    let Some(schema) = subject.schema() else {
        return skipped("the schema cannot be used");
    };
    let Ok(validator) = jsonschema::validator_for(&Value::Object(schema)) else {
        return skipped("the schema cannot be used");
    };
    let network = subject.network()?;
    let unknown = json!({ UNKNOWN: 1 });
    if validator.is_valid(&unknown) {
        return failed("the schema accepts unknown keys: set `additionalProperties` to false");
    }
    let refused = |text: &str, key: &str| refuses(subject, &network, text, key);
    refused(&unknown.to_string(), UNKNOWN)?;
    for text in ["[]", "{", "null"] {
        refused(text, "")?;
    }
    let mut tried = 4;
    for (name, property) in subject.properties() {
        for value in wrong_values(&property) {
            let mut instance = subject.defaults();
            instance.insert(name.clone(), value);
            let instance = Value::Object(instance);
            if outside(&validator, &instance) {
                refused(&instance.to_string(), &name)?;
                tried += 1;
            }
        }
    }
    Ok(format!("{tried} bad settings were refused by name"))
}

fn outside(validator: &Validator, instance: &Value) -> bool {
    !validator.is_valid(instance)
}

/// Values that may be wrong for a property; whether one is, its schema says.
fn wrong_values(property: &Value) -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        json!("no such value"),
        json!(true),
        json!([]),
        Value::Object(Map::new()),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(-1e300),
    ];
    for (bound, step) in [
        ("minimum", -1.0),
        ("exclusiveMinimum", 0.0),
        ("maximum", 1.0),
        ("exclusiveMaximum", 0.0),
    ] {
        let bound = property.get(bound).and_then(Value::as_f64);
        values.extend(bound.map(|bound| json!(bound + step)));
    }
    values
}

/// Fails unless the plugin refuses `text` with words that name `key`.
fn refuses(subject: &Subject<'_>, network: &Network, text: &str, key: &str) -> Result<(), Problem> {
    let asked = format!("to create a learner with {text}");
    let Err(error) = subject.create(network, text, subject.seed) else {
        return failed(format!("it accepts {text}"));
    };
    readable(&asked, &error)?;
    if error.code != ErrorCode::HYPERPARAMETERS {
        let code = error.code.0;
        return failed(format!(
            "asked {asked}, it refused with the code {code} instead of HYPERPARAMETERS: {error}"
        ));
    }
    if !error.to_string().contains(key) {
        return failed(format!(
            "asked {asked}, it refused without naming `{key}`: {error}"
        ));
    }
    Ok(())
}
