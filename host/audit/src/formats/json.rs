//! JSON: a document laid out for reading, and the values of two that differ, by path.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use assay_core::Difference;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::error::FormatError;
use super::shape::{Format, Head, Inside, LARGEST_TEXT, Summary};
use super::{Text, text};

/// A larger document is shown as the text that it is.
const LARGEST_LAID_OUT: u64 = 1 << 20;

pub(super) const FORMAT: Format = Format {
    name: "JSON",
    content: "text (JSON)",
    recognise,
    summarise,
    compare: Some(compare),
};

/// Whether the whole file is one JSON value in braces or brackets: a TOML file may begin with a
/// bracket too.
fn recognise(head: &Head) -> io::Result<bool> {
    let Some(beginning) = text::beginning(&head.bytes) else {
        return Ok(false);
    };
    if !beginning.trim_start().starts_with(['{', '[']) || head.size > LARGEST_TEXT {
        return Ok(false);
    }
    let bytes = assay_files::read(&head.path, LARGEST_TEXT)?;
    Ok(serde_json::from_slice::<IgnoredAny>(&bytes).is_ok())
}

/// The first lines of the document. A store holds documents on one line.
fn summarise(head: &Head, lines: usize) -> Result<Summary, FormatError> {
    if head.size <= LARGEST_LAID_OUT
        && let Ok(value) = read(&head.path)
    {
        let laid_out = format!("{value:#}");
        return Ok(Summary::Text(Text::first(&laid_out, lines, false)));
    }
    text::summarise(head, lines)
}

fn compare(before: &Path, now: &Path) -> Result<Inside, FormatError> {
    let mut values = Vec::new();
    let (before, now) = (read(before)?, read(now)?);
    differ(String::new(), Some(before), Some(now), &mut values);
    Ok(Inside::Json { values })
}

fn read(path: &Path) -> Result<Value, FormatError> {
    let bytes = assay_files::read(path, LARGEST_TEXT)?;
    serde_json::from_slice(&bytes).map_err(FormatError::Json)
}

/// Adds the differences at `path` and below to `differences`. Values nest at most as deep as the
/// parser allows, 128 levels.
fn differ(
    path: String,
    before: Option<Value>,
    now: Option<Value>,
    differences: &mut Vec<Difference>,
) {
    match (before, now) {
        (before, now) if before == now => {}
        (Some(Value::Object(mut before)), Some(Value::Object(mut now))) => {
            let keys: BTreeSet<_> = before.keys().chain(now.keys()).cloned().collect();
            for key in keys {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                differ(below, before.remove(&key), now.remove(&key), differences);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(now))) => {
            let (mut before, mut now) = (before.into_iter(), now.into_iter());
            for at in 0_u64.. {
                let (before, now) = (before.next(), now.next());
                if before.is_none() && now.is_none() {
                    break;
                }
                differ(format!("{path}[{at}]"), before, now, differences);
            }
        }
        (before, now) => differences.push(Difference {
            field: path,
            before,
            now,
        }),
    }
}
