//! Documents for scripts, on standard output.

use std::fmt::Write as _;

use assay_core::steers_terminal;
use serde_json::Value;

/// The document as indented text in which no character steers a terminal.
pub(crate) fn document(value: &Value) -> String {
    // `{:#}` of a JSON value is its indented text; it cannot fail.
    escaped(format!("{value:#}\n"))
}

/// A text of JSON in which no character steers a terminal.
pub(crate) fn escaped(text: String) -> String {
    let is_unfit = |char: char| char != '\n' && steers_terminal(char);
    if !text.contains(is_unfit) {
        return text;
    }
    // JSON escapes a part of what steers a terminal itself. What it leaves stands in strings, where
    // it may be escaped too; all of it has four hexadecimal digits.
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unfit(char) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    escaped
}
