//! A JSON Schema of hyper-parameters as rows for a person: what each is, may be, and does. It
//! understands what describes a value; whatever else a schema says, its own text says best.

use serde_json::{Map, Value};

use crate::ui::words::plain;

/// One hyper-parameter, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hyperparameter {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) range: String,
    pub(super) default: String,
    pub(super) documentation: String,
}

/// The properties of a schema, in its order.
pub(super) fn hyperparameters(schema: &Value) -> Vec<Hyperparameter> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| {
        required.is_some_and(|names| names.iter().any(|other| other.as_str() == Some(name)))
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    let rows = properties.into_iter().flatten().map(|(name, property)| {
        let text = |key: &str| Some(plain(property.get(key)?.as_str()?));
        let resolved = resolve(schema, property);
        let default = match property.get("default") {
            Some(default) => value(default),
            None if is_required(name) => "required".to_owned(),
            None => "—".to_owned(),
        };
        Hyperparameter {
            name: plain(name),
            kind: kind(schema, resolved),
            range: range(resolved),
            default,
            documentation: text("description")
                .or_else(|| Some(plain(resolved.get("description")?.as_str()?)))
                .unwrap_or_default(),
        }
    });
    rows.collect()
}

/// The target within the schema of the reference in `property`; `property` itself where it has
/// none, or one that leads nowhere. Only one reference is followed.
fn resolve<'a>(schema: &'a Value, property: &'a Value) -> &'a Value {
    let pointer = property.get("$ref").and_then(Value::as_str);
    let target = pointer.and_then(|pointer| schema.pointer(pointer.strip_prefix('#')?));
    target.unwrap_or(property)
}

fn kind(schema: &Value, property: &Value) -> String {
    if let Some(kind) = property.get("type") {
        return match kind {
            Value::String(kind) if kind == "array" => match property.get("items") {
                Some(items) => format!(
                    "array of {}",
                    self::kind(schema, resolve_once(schema, items))
                ),
                None => "array".to_owned(),
            },
            Value::String(kind) => plain(kind),
            Value::Array(kinds) => joined(kinds.iter().filter_map(Value::as_str).map(plain)),
            _ => "any".to_owned(),
        };
    }
    let variants = ["anyOf", "oneOf"]
        .iter()
        .find_map(|key| property.get(key)?.as_array());
    if let Some(variants) = variants {
        let kinds = variants.iter().map(|it| simple_kind(resolve(schema, it)));
        return joined(kinds);
    }
    simple_kind(property)
}

/// `items` that refer to themselves would never end.
fn resolve_once<'a>(schema: &'a Value, items: &'a Value) -> &'a Value {
    let resolved = resolve(schema, items);
    let nested = resolved.get("items").is_some();
    if nested { &Value::Null } else { resolved }
}

/// The kind of a value that is not made of others.
fn simple_kind(property: &Value) -> String {
    match (
        property.get("type"),
        property.get("enum").or(property.get("const")),
    ) {
        (Some(Value::String(kind)), _) => plain(kind),
        (_, Some(_)) => "choice".to_owned(),
        _ => "any".to_owned(),
    }
}

fn joined(kinds: impl Iterator<Item = String>) -> String {
    let mut all: Vec<_> = kinds.collect();
    all.dedup();
    all.join(" or ")
}

/// The values that are allowed, and behind them those that a search draws.
fn range(property: &Value) -> String {
    let parts = [allowed(property), searched(property).unwrap_or_default()];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

/// The range that a search draws from, as the algorithm declares it.
fn searched(property: &Value) -> Option<String> {
    let declared = property.get("search")?;
    if let Some(choices) = declared.as_array() {
        let choices: Vec<_> = choices.iter().map(value).collect();
        return Some(format!("search {}", choices.join(", ")));
    }
    let (bounds, scale) = match (declared.get("uniform"), declared.get("log_uniform")) {
        (Some(bounds), None) => (bounds, ""),
        (None, Some(bounds)) => (bounds, ", log"),
        _ => return None,
    };
    let [low, high] = bounds.as_array()?.as_slice() else {
        return None;
    };
    Some(format!("search {} to {}{scale}", value(low), value(high)))
}

fn allowed(property: &Value) -> String {
    let Some(property) = property.as_object() else {
        return String::new();
    };
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        let choices: Vec<_> = choices.iter().map(value).collect();
        return choices.join(", ");
    }
    let low = bound(property, "minimum", "exclusiveMinimum", "≥", ">");
    let high = bound(property, "maximum", "exclusiveMaximum", "≤", "<");
    let bounds: Vec<_> = low.into_iter().chain(high).collect();
    bounds.join(" and ")
}

fn bound(
    property: &Map<String, Value>,
    inclusive: &str,
    exclusive: &str,
    or_equal: &str,
    strictly: &str,
) -> Option<String> {
    let words = |key: &str, sign: &str| Some(format!("{sign} {}", property.get(key)?.as_number()?));
    words(exclusive, strictly).or_else(|| words(inclusive, or_equal))
}

/// A value as a person writes it: texts without quotes.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(schema: &Value) -> [String; 4] {
        let [row] = &hyperparameters(schema)[..] else {
            panic!("{schema}");
        };
        [&row.kind, &row.range, &row.default, &row.documentation].map(Clone::clone)
    }

    fn of(property: &Value) -> [String; 4] {
        row(&json!({ "properties": { "x": property } }))
    }

    #[test]
    fn types_ranges_defaults_and_documentation_are_told() {
        let rate = json!({
            "type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 1e-8,
            "description": "Step size.\nThe paper's.",
        });
        assert_eq!(
            of(&rate),
            ["number", "> 0 and ≤ 1", "1e-8", "Step size. The paper's."]
        );
        let choice = json!({ "type": "string", "enum": ["a", "b"], "default": "a" });
        assert_eq!(of(&choice), ["string", "a, b", "a", ""]);
        let option = json!({ "type": ["integer", "null"], "minimum": 1 });
        assert_eq!(of(&option), ["integer or null", "≥ 1", "—", ""]);
        let list = json!({ "type": "array", "items": { "type": "boolean" }, "default": [true] });
        assert_eq!(of(&list), ["array of boolean", "", "[true]", ""]);
        let searched =
            json!({ "type": "number", "minimum": 0, "search": { "log_uniform": [1e-5, 0.1] } });
        assert_eq!(
            of(&searched),
            ["number", "≥ 0; search 0.00001 to 0.1, log", "—", ""]
        );
        let chosen = json!({ "search": [1, "a"] });
        assert_eq!(of(&chosen), ["any", "search 1, a", "—", ""]);
        for wrong in [json!(3), json!({ "uniform": [1] }), json!({ "uniform": 1 })] {
            assert_eq!(of(&json!({ "search": wrong }))[1], "");
        }
        let free = json!({});
        assert_eq!(of(&free), ["any", "", "—", ""]);
    }

    #[test]
    fn references_within_the_schema_are_followed() {
        let schema = json!({
            "properties": { "x": { "$ref": "#/$defs/Mode", "default": "fast" } },
            "required": ["x"],
            "$defs": { "Mode": { "enum": ["fast", "slow"], "description": "How." } },
        });
        assert_eq!(row(&schema), ["choice", "fast, slow", "fast", "How."]);
    }

    #[test]
    fn schemas_of_any_form_are_survived() {
        for schema in [
            json!(null),
            json!({ "properties": [] }),
            json!({ "properties": { "x": { "$ref": "#/properties/x" } } }),
            json!({ "properties": { "x": { "type": "array", "items": { "$ref": "#/properties/x" } } } }),
            json!({ "properties": { "x": { "anyOf": [{}, 3], "minimum": "low", "enum": 3 } } }),
        ] {
            let _ = hyperparameters(&schema);
        }
        let needed = json!({ "properties": { "x": { "type": "integer" } }, "required": ["x"] });
        assert_eq!(row(&needed), ["integer", "", "required", ""]);
    }
}
