//! Shared by the verbs to talk to a person: the terminal, words, tables, progress and errors. Tables and
//! documents go to standard output, progress and errors to standard error.

pub(crate) mod action;
pub(crate) mod bytes;
pub(crate) mod compare;
pub(crate) mod containment;
pub(crate) mod content;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod notice;
pub(crate) mod pins;
pub(crate) mod preview;
pub(crate) mod progress;
pub(crate) mod role;
pub(crate) mod run;
pub(crate) mod terminal;
pub(crate) mod training;
pub(crate) mod under_way;
pub(crate) mod words;

use serde::Serialize;

use crate::error::CliError;
use terminal::say;
pub(crate) use terminal::{print, print_bytes};
pub(crate) use words::duration;

/// Prints the answer of a verb: its view as a JSON document, or as the text that `text` makes of it.
///
/// # Errors
/// The view has no JSON form, or standard output takes no more.
pub(crate) fn print_view<V: Serialize>(
    view: &V,
    as_json: bool,
    text: impl FnOnce(&V) -> String,
) -> Result<(), CliError> {
    print_either(as_json, || view, || text(view))
}

/// As [`print_view`], for a verb whose text is not made of its view: of the two only the one that
/// is printed is made.
///
/// # Errors
/// As [`print_view`].
pub(crate) fn print_either<V: Serialize>(
    as_json: bool,
    view: impl FnOnce() -> V,
    text: impl FnOnce() -> String,
) -> Result<(), CliError> {
    if as_json {
        let value = serde_json::to_value(view()).map_err(CliError::Json)?;
        print(&json::document(&value))
    } else {
        print(&text())
    }
}

/// Says on standard error what this kernel lacks to contain plugins, if anything.
pub(crate) fn print_containment_notice() {
    if let Some(notice) = containment::notice(assay_engine::kernel_support()) {
        say(&notice);
    }
}
