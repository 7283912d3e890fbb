//! `schema`: the statement of the hyper-parameters is one that a host can act on.

use serde_json::Value;

use crate::check::{Body, Check, Evidence, Problem, failed};
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "schema",
    promise: "The hyper-parameters are stated as a valid JSON Schema of an object, each with a \
              default; the schema and the plugin accept the defaults, and a learner made with them \
              is the one made with nothing said.",
    why: "The host refuses a bad pipeline by the schema alone, and writes the defaults into the \
          action that a result is known by.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let schema: Value = match serde_json::from_str(&subject.algorithm.hyperparameters) {
        Ok(schema) => schema,
        Err(error) => return failed(format!("the schema is not JSON: {error}")),
    };
    let validator = match jsonschema::validator_for(&schema) {
        Ok(validator) => validator,
        Err(error) => return failed(format!("the schema is no JSON Schema: {error}")),
    };
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return failed("the schema is not one of an object: `type` is not \"object\"");
    }
    let properties = subject.properties();
    let without = properties
        .iter()
        .find(|(_, it)| it.get("default").is_none());
    if let Some((name, _)) = without {
        return failed(format!("the schema gives `{name}` no default"));
    }
    let defaults = Value::Object(subject.defaults());
    for instance in [&defaults, &Value::Object(serde_json::Map::new())] {
        if let Err(error) = validator.validate(instance) {
            return failed(format!("the schema refuses {instance}: {error}"));
        }
    }
    same_learner(subject, &defaults.to_string())?;
    Ok(match properties.len() {
        0 => "it has no hyper-parameters".to_owned(),
        1 => "1 hyper-parameter, whose default is accepted".to_owned(),
        count => format!("{count} hyper-parameters, whose defaults are accepted"),
    })
}

/// Fails unless `defaults` and nothing at all make the same learner.
fn same_learner(subject: &Subject<'_>, defaults: &str) -> Result<(), Problem> {
    let network = subject.network()?;
    let batches = [crate::samples::Samples::random(&network, 8, subject.seed)];
    let mut states = Vec::new();
    for hyperparameters in [defaults, "{}"] {
        let created = subject.create(&network, hyperparameters, subject.seed);
        let mut learner = match created {
            Ok(learner) => learner,
            Err(error) => return failed(format!("{hyperparameters} is refused: {error}")),
        };
        learner.train(1, &batches)?;
        states.push(learner.save()?);
    }
    if states[0] == states[1] {
        return Ok(());
    }
    failed("a learner made with the schema's defaults trains otherwise than one made with {}")
}
