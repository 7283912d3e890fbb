//! Quotations of texts that may be long.

/// The most characters of a text that a difference quotes.
const LONGEST_QUOTE: usize = 200;

/// The beginning of a text that may be long.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
