//! How an audit's words are laid out: lists that stay short, lines that fit a terminal, and text of
//! a store that cannot harm one.

use std::fmt::Write as _;
use std::path::Path;

use assay_store::Store;

use crate::ui::{terminal, words};

/// The width of the label before each line of a finding.
pub(super) const LABEL: usize = 12;

/// How much of a long name is shown where there is no room for all of it.
const LONG: usize = 16;

/// How many names are spelt out before the rest is counted.
const NAMES: usize = 6;

/// A list that stays short: `a, b and 12 more`.
pub(crate) fn list(words: impl ExactSizeIterator<Item = String>) -> String {
    let count = words.len();
    // One more costs no more room than saying so.
    let shown = if count == NAMES + 1 { count } else { NAMES };
    let mut text = words.take(shown).collect::<Vec<_>>().join(", ");
    if count > shown {
        let _ = write!(text, " and {} more", count - shown);
    }
    text
}

/// Words in lines that fit the terminal, which begin after `indent`.
pub(crate) fn wrap(text: &str, indent: usize) -> String {
    let width = terminal::width().saturating_sub(indent);
    words::wrap(text, width).join(&format!("\n{:indent$}", ""))
}

/// A path as it lies below the store.
pub(crate) fn below(store: &Store, path: &Path) -> String {
    let below = path.strip_prefix(store.root()).unwrap_or(path);
    words::path(below)
}

/// The same on one line of a terminal: hashes are cut short where they must be.
pub(crate) fn brief(store: &Store, path: &Path) -> String {
    let whole = below(store, path);
    if LABEL + whole.chars().count() <= terminal::width() {
        return whole;
    }
    let part = |part: &str| {
        let (name, ending) = part.split_at(part.find('.').unwrap_or(part.len()));
        match name.char_indices().nth(LONG) {
            Some((end, _)) if name.len() > 2 * LONG => format!("{}…{ending}", &name[..end]),
            _ => part.to_owned(),
        }
    };
    whole.split('/').map(part).collect::<Vec<_>>().join("/")
}
