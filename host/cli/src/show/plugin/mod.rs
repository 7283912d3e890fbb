//! Plugins in words: the list of them, and one in full. What a plugin or a file name says comes
//! from strangers, so it never reaches a terminal as it is.

pub(crate) mod info;
pub(crate) mod list;
mod schema;
pub(crate) mod sign;
pub(crate) mod trust;

use comfy_table::{ContentArrangement, Table};

use super::RULES;
use super::words::{path, plain};
use crate::terminal;

/// A table whose last column is prose, broken into lines.
fn prose_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(RULES)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(terminal::width()).unwrap_or(u16::MAX))
        .set_header(header);
    table
}
