//! The beginning of a text. JSON, which a store holds on one line, is laid out for reading.

use std::io;
use std::path::Path;

use super::HEAD;

/// JSON larger than this is shown as the text that it is.
const LARGEST_JSON: u64 = 1 << 20;

/// The first lines of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The lines, without their ends. What is in them comes from strangers.
    pub lines: Vec<String>,
    /// Whether there is more.
    pub more: bool,
    /// Whether it is JSON, laid out.
    pub json: bool,
}

/// The text, if it is one: UTF-8 without zero bytes, as far as its head goes.
pub(super) fn read(path: &Path, head: &[u8], size: u64, lines: usize) -> io::Result<Option<Text>> {
    let Some(beginning) = beginning(head) else {
        return Ok(None);
    };
    let is_json = beginning.trim_start().starts_with(['{', '[']) && size <= LARGEST_JSON;
    if is_json
        && let Ok(value) =
            serde_json::from_slice::<serde_json::Value>(&assay_files::read(path, LARGEST_JSON)?)
    {
        let laid_out = serde_json::to_string_pretty(&value)?;
        return Ok(Some(first(&laid_out, lines, false, true)));
    }
    Ok(Some(first(beginning, lines, size > HEAD, false)))
}

/// The head as text; its last character may be cut off.
fn beginning(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    (!text.is_empty() && !text.contains('\0')).then_some(text)
}

fn first(text: &str, lines: usize, cut: bool, json: bool) -> Text {
    let mut all = text.lines();
    let lines = all.by_ref().take(lines).map(str::to_owned).collect();
    Text {
        lines,
        more: cut || all.next().is_some(),
        json,
    }
}
