//! Canonical JSON (RFC 8785): one value, one spelling, so that its hash is its identity.
//!
//! A run of a thousand cached stages spells a thousand documents, and the general serializers
//! that we know take half of its time; this one walks a finished value. The tests hold it
//! against one of them.

use std::ops::Deref;

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// A value that has no canonical JSON.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The value cannot be written as JSON.
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
    let mut out = Vec::with_capacity(1024);
    write(&serde_json::to_value(value)?, &mut out)?;
    Ok(out)
}

/// A value beside its canonical JSON, for what stands in thousands of documents.
#[derive(Clone, Debug)]
pub struct Spelled<T> {
    value: T,
    json: Vec<u8>,
}

impl<T: Serialize> Spelled<T> {
    /// Spells a value.
    ///
    /// # Errors
    /// It has no canonical JSON.
    pub fn new(value: T) -> Result<Self, CanonicalError> {
        let json = canonical_json(&value)?;
        Ok(Self { value, json })
    }
}

impl<T> Deref for Spelled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Writes the canonical JSON of an object field by field, where to make one value of it first would copy
/// much.
pub(crate) struct ObjectWriter {
    out: Vec<u8>,
    last: &'static str,
}

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        let mut out = Vec::with_capacity(1024);
        out.push(b'{');
        Self { out, last: "" }
    }

    /// Writes a field, whose name must come after those before it.
    pub(crate) fn field(
        &mut self,
        name: &'static str,
        value: &impl Serialize,
    ) -> Result<(), CanonicalError> {
        let value = serde_json::to_value(value)?;
        self.name(name)?;
        write(&value, &mut self.out)
    }

    /// As [`ObjectWriter::field`], of a value that is spelled already.
    pub(crate) fn spelled<T>(
        &mut self,
        name: &'static str,
        value: &Spelled<T>,
    ) -> Result<(), CanonicalError> {
        self.name(name)?;
        self.out.extend_from_slice(&value.json);
        Ok(())
    }

    /// As [`ObjectWriter::field`], of an object.
    pub(crate) fn object(
        &mut self,
        name: &'static str,
        fields: &Map<String, Value>,
    ) -> Result<(), CanonicalError> {
        self.name(name)?;
        write_object(fields, &mut self.out)
    }

    fn name(&mut self, name: &'static str) -> Result<(), CanonicalError> {
        assert!(self.last < name, "fields are written in their order");
        separate(usize::from(!self.last.is_empty()), &mut self.out);
        self.last = name;
        write_string(name, &mut self.out)?;
        self.out.push(b':');
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out)?,
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                separate(at, out);
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => write_object(fields, out)?,
    }
    Ok(())
}

fn write_object(fields: &Map<String, Value>, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    out.push(b'{');
    for (at, (key, value)) in in_order(fields).into_iter().enumerate() {
        separate(at, out);
        write_string(key, out)?;
        out.push(b':');
        write(value, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

/// The fields by the UTF-16 code units of their keys (section 3.2.3).
fn in_order(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    if fields.iter().all(|(key, _)| key.is_ascii()) {
        fields.sort_unstable_by_key(|(key, _)| *key);
    } else {
        fields.sort_by_cached_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
    }
    fields
}

/// As ECMAScript writes strings, which is how `serde_json` does (section 3.2.2.2).
fn write_string(text: &str, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // Without an early end, so that a processor looks at many bytes at once.
    let escapes = |escapes, byte| escapes | is_escaped(byte);
    if text.bytes().fold(false, escapes) {
        return Ok(serde_json::to_writer(out, text)?);
    }
    // Nearly every string comes here.
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

/// As ECMAScript writes doubles (section 3.2.2.3).
fn write_number(number: &Number, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    let integer = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
    if let Some(magnitude) = integer {
        if magnitude > LARGEST {
            return Err(CanonicalError::LargeInteger(number.to_string()));
        }
        return Ok(serde_json::to_writer(out, number)?);
    }
    // A number of `serde_json` is finite.
    let double = number.as_f64().unwrap_or(0.0);
    out.extend(ryu_js::Buffer::new().format_finite(double).as_bytes());
    Ok(())
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

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53)..=(1_i64 << 53)).prop_map(Value::from),
            prop::num::f64::NORMAL.prop_map(Value::from),
            prop::num::f64::SUBNORMAL.prop_map(Value::from),
            Just(Value::from(-0.0)),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::hash_map(".*", inner, 0..8)
                    .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn another_implementation_writes_the_same(value in any_value()) {
            let theirs = serde_json_canonicalizer::to_vec(&value).unwrap();
            prop_assert_eq!(canonical_json(&value).unwrap(), theirs);
        }

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
