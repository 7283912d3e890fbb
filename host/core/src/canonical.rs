//! Canonical JSON (RFC 8785): one value, one spelling, so that its hash is its identity.

use serde::Serialize;
use serde_json::Value;

/// A value that has no canonical JSON.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The value cannot be written as JSON (a float that is not finite, for one).
    #[error("the value has no JSON form")]
    Json(#[from] serde_json::Error),
    /// RFC 8785 numbers are doubles: a larger integer would be rounded.
    #[error("the integer {0} is larger than 2^53 and would lose digits")]
    LargeInteger(String),
}

/// The largest integer up to which every integer is a double.
const LARGEST: u64 = 1 << 53;

/// The canonical JSON of `value`.
///
/// # Errors
/// The value cannot be written as JSON, or holds an integer beyond ±2^53.
pub fn canonical_json<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value)?;
    check_integers(&value)?;
    Ok(serde_json_canonicalizer::to_vec(&value)?)
}

fn check_integers(value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            match magnitude {
                Some(magnitude) if magnitude > LARGEST => {
                    Err(CanonicalError::LargeInteger(number.to_string()))
                }
                _ => Ok(()),
            }
        }
        Value::Array(items) => items.iter().try_for_each(check_integers),
        Value::Object(fields) => fields.values().try_for_each(check_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_and_numbers_have_one_spelling() {
        let value = json!({"b": 1.0, "a": [true, null, "é\n"], "c": 1e-7});
        assert_eq!(
            String::from_utf8(canonical_json(&value).unwrap()).unwrap(),
            r#"{"a":[true,null,"é\n"],"b":1,"c":1e-7}"#
        );
    }

    #[test]
    fn integers_that_a_double_cannot_hold_are_refused() {
        assert!(canonical_json(&json!({"seed": LARGEST})).is_ok());
        assert!(matches!(
            canonical_json(&json!({"seed": [LARGEST + 1]})),
            Err(CanonicalError::LargeInteger(_))
        ));
        assert!(canonical_json(&json!(i64::MIN)).is_err());
    }

    proptest! {
        #[test]
        fn canonical_json_reads_back_as_the_same_value(
            float in -1e15..1e15_f64,
            tiny in prop::num::f64::SUBNORMAL,
            integer in -(1_i64 << 53)..=(1_i64 << 53),
            text in ".*",
        ) {
            let bytes = canonical_json(&json!({"f": float, "s": tiny, "i": integer, "t": text})).unwrap();
            let read: Value = serde_json::from_slice(&bytes).unwrap();
            let same = |key: &str, value: f64| read[key].as_f64() == Some(value);
            prop_assert!(same("f", float) && same("s", tiny) && same("i", integer as f64));
            prop_assert_eq!(read["t"].as_str().unwrap(), text);
            prop_assert_eq!(canonical_json(&read).unwrap(), bytes);
        }
    }
}
