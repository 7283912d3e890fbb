//! Plugins in words: the list of them, and one in full. What a plugin or a file name says comes
//! from strangers, so it never reaches a terminal as it is.

pub(crate) mod info;
pub(crate) mod list;
mod schema;
pub(crate) mod sign;
pub(crate) mod trust;

use comfy_table::{ContentArrangement, Table};

use super::RULES;

/// Columns that a table with prose in it may take.
const WIDTH: u16 = 110;

/// Text on one line, in which no character can steer a terminal.
pub(super) fn plain(text: &str) -> String {
    let visible = text.chars().map(|char| {
        let steers = char.is_control() && !char.is_whitespace();
        if steers {
            char::REPLACEMENT_CHARACTER
        } else {
            char
        }
    });
    let visible: String = visible.collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A table whose last column is prose, broken into lines.
fn prose_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(RULES)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(header);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        assert_eq!(plain("two\nlines\tand more"), "two lines and more");
        assert_eq!(plain("\u{1b}[2Jgone\u{7}"), "\u{fffd}[2Jgone\u{fffd}");
        assert_eq!(plain("δ ∘ tanh′ — fine"), "δ ∘ tanh′ — fine");
    }
}
