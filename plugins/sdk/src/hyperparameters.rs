//! Hyper-parameters: one Rust type gives the schema, the defaults and the checks.
//!
//! The schema is the only statement of what is allowed. The host checks it before a run; the
//! plugin checks again, so that it is safe under any host.

use assay_abi::{ErrorCode, PluginError};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The JSON Schema of `C`: every property with its default, none besides.
pub(crate) fn schema<C: Serialize + JsonSchema + Default>() -> Result<Value, PluginError> {
    with_defaults(schemars::schema_for!(C).to_value(), &defaults::<C>()?)
}

fn with_defaults(mut schema: Value, defaults: &Map<String, Value>) -> Result<Value, PluginError> {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (key, property) in properties {
            if let Some(default) = defaults.get(key) {
                check_range(key, default, property).map_err(|refusal| {
                    let mut error = refused(format!(
                        "the algorithm's own default for `{key}` is one that its schema refuses"
                    ));
                    error.chain.push(refusal.message);
                    error.with_help("the author of the plugin has to correct it")
                })?;
            }
            if let (Some(property), Some(default)) = (property.as_object_mut(), defaults.get(key)) {
                property.insert("default".to_owned(), default.clone());
            }
        }
    }
    if let Some(object) = schema.as_object_mut() {
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
        // Every key has a default, so none has to be given.
        object.remove("required");
    }
    Ok(schema)
}

/// Reads `text`, a JSON object; absent keys take their defaults.
///
/// # Errors
/// [`ErrorCode::HYPERPARAMETERS`], naming the key at fault.
pub(crate) fn parse<C>(text: &str) -> Result<C, PluginError>
where
    C: Serialize + DeserializeOwned + JsonSchema + Default,
{
    let read = |values| serde_json::from_value::<C>(Value::Object(values));
    let values = checked(text, defaults::<C>()?, &schema::<C>()?, &|values| {
        read(values).map(drop)
    })?;
    read(values)
        .map_err(|error| refused(format!("the hyper-parameters do not fit together: {error}")))
}

/// The values of `text`, and of `defaults` for absent keys, where `schema` allows each and `read` takes it beside the
/// others' defaults.
fn checked(
    text: &str,
    defaults: Map<String, Value>,
    schema: &Value,
    read: &dyn Fn(Map<String, Value>) -> serde_json::Result<()>,
) -> Result<Map<String, Value>, PluginError> {
    let given: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| refused(format!("the hyper-parameters are no JSON object: {error}")))?;
    for (key, value) in &given {
        let property = schema
            .get("properties")
            .and_then(|properties| properties.get(key))
            .ok_or_else(|| unknown(key, &defaults))?;
        check_range(key, value, property)?;
    }
    // Each key alone first: serde names a position, not the key.
    for (key, value) in &given {
        let mut values = defaults.clone();
        values.insert(key.clone(), value.clone());
        read(values)
            .map_err(|error| refused(format!("hyper-parameter `{key}` is {value}: {error}")))?;
    }
    let mut values = defaults;
    values.extend(given);
    Ok(values)
}

fn defaults<C: Serialize + Default>() -> Result<Map<String, Value>, PluginError> {
    values(&C::default())
}

/// The values of a configuration, by name.
pub(crate) fn values<C: Serialize>(config: &C) -> Result<Map<String, Value>, PluginError> {
    match serde_json::to_value(config) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(refused(format!(
            "the algorithm's configuration must be a struct, but it is {other}"
        ))),
        Err(error) => Err(refused(format!(
            "the algorithm's configuration has no JSON form: {error}"
        ))),
    }
}

fn check_range(key: &str, value: &Value, property: &Value) -> Result<(), PluginError> {
    if let (Some(values), Some(items)) = (value.as_array(), property.get("items")) {
        return values.iter().try_for_each(|it| check_range(key, it, items));
    }
    let Some(number) = value.as_f64() else {
        return Ok(());
    };
    let bound = |name: &str| property.get(name).and_then(Value::as_f64);
    let expected = if bound("exclusiveMinimum").is_some_and(|bound| number <= bound) {
        format!("more than {}", property["exclusiveMinimum"])
    } else if bound("minimum").is_some_and(|bound| number < bound) {
        format!("at least {}", property["minimum"])
    } else if bound("exclusiveMaximum").is_some_and(|bound| number >= bound) {
        format!("less than {}", property["exclusiveMaximum"])
    } else if bound("maximum").is_some_and(|bound| number > bound) {
        format!("at most {}", property["maximum"])
    } else {
        return Ok(());
    };
    Err(refused(format!(
        "hyper-parameter `{key}` is {value}, expected {expected}"
    )))
}

fn unknown(key: &str, known: &Map<String, Value>) -> PluginError {
    let known: Vec<_> = known.keys().map(|key| format!("`{key}`")).collect();
    refused(format!("there is no hyper-parameter `{key}`"))
        .with_help(format!("the algorithm takes {}", known.join(", ")))
}

fn refused(message: String) -> PluginError {
    PluginError::new(ErrorCode::HYPERPARAMETERS, message)
}
