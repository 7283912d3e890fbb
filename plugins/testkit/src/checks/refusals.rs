//! `refuses-bad-values` and `refuses-bad-states`: hyper-parameters outside the schema and damaged
//! states are refused, in words.

use assay_abi::ErrorCode;
use assay_network::Network;
use serde_json::{Map, Value, json};

use crate::check::{Body, Check, Evidence, Problem, failed, skipped};
use crate::networks::candidates;
use crate::samples::Samples;
use crate::subject::{Subject, check_refusal};

pub(super) const BAD_VALUES: Check = Check {
    name: "refuses-bad-values",
    promise: "Values of the wrong type or outside their range, unknown keys and texts that are no \
              object are refused, each with an error of the code HYPERPARAMETERS that names what \
              is wrong.",
    why: "A misspelt or impossible setting that is taken in silence gives a result that is not \
          what its name says.",
    body: Body::Algorithm(refuses_bad_values),
};

pub(super) const BAD_STATES: Check = Check {
    name: "refuses-bad-states",
    promise: "A state that is empty, cut short, no safetensors or another network's is refused \
              with the code STATE and a reason, and the learner stays as it was.",
    why: "A checkpoint that was damaged must not become the weights of a result.",
    body: Body::Algorithm(refuses_bad_states),
};

/// No plugin means this.
const UNKNOWN: &str = "no_such_hyperparameter";

fn refuses_bad_values(subject: &Subject<'_>) -> Evidence {
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
            if !validator.is_valid(&instance) {
                refused(&instance.to_string(), &name)?;
                tried += 1;
            }
        }
    }
    Ok(format!("{tried} bad settings were refused by name"))
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
    let code = (ErrorCode::HYPERPARAMETERS, "HYPERPARAMETERS");
    check_refusal(&asked, &error, code)?;
    if !error.to_string().contains(key) {
        return failed(format!(
            "asked {asked}, it refused without naming `{key}`: {error}"
        ));
    }
    Ok(())
}

fn refuses_bad_states(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let mut learner = subject.learner(&network)?;
    learner.train(1, &Samples::random(&network, 8, subject.seed).batches(8))?;
    let own = learner.save()?;
    let cut = &own[..own.len() / 2];
    let mut states = vec![
        ("an empty state", Vec::new()),
        ("half of its own state", cut.to_vec()),
        ("a text for a state", b"these are no tensors".to_vec()),
    ];
    let others = candidates().into_iter().map(|(_, other)| other);
    if let Ok(other) = subject.first_supported(others.filter(|other| *other != network)) {
        let state = subject.learner(&other)?.save()?;
        states.push(("the state of another network", state));
    }
    for (what, state) in &states {
        let asked = format!("to restore {what}");
        let Err(error) = learner.try_restore(state) else {
            return failed(format!("it restores {what}"));
        };
        check_refusal(&asked, &error, (ErrorCode::STATE, "STATE"))?;
        if learner.save()? != own {
            return failed(format!("it refused {what}, but is not what it was"));
        }
    }
    Ok(format!("{} bad states were refused", states.len()))
}
