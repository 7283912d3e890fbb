//! Words for things of every kind: sizes, durations, moments, counts, tables, and texts of strangers,
//! in which no character may steer a terminal.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use assay_core::printable_line;
use bytesize::ByteSize;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use serde::{Serialize, Serializer};

use crate::ui::terminal;

/// Lines above, below and under the header, as books set tables.
pub(crate) const RULES: TableStyle = {
    let rule = LineStyle::none().fill('─').junction('─');
    TableStyle::new()
        .top_border(rule)
        .header_separator(rule)
        .bottom_border(rule)
};

/// Columns of a table whose last column is prose, where the terminal has as many.
const PROSE_TABLE: usize = 110;
/// The last second of the year 9999, in milliseconds since 1970: what has four digits for the year.
const LAST_MOMENT: u64 = 253_402_300_799_999;

/// Text on one line, words apart by one space, in which no character can steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    printable_line(&words.join(" ")).into_owned()
}

/// A line as it is, its spaces kept, in which no character can steer a terminal.
pub(crate) fn visible(line: &str) -> String {
    printable_line(&line.replace('\t', " ")).into_owned()
}

/// A path on one line, in which no character can steer a terminal.
pub(crate) fn path(path: &Path) -> String {
    printable_line(&path.to_string_lossy()).into_owned()
}

/// A path in a view: text in JSON, and for a person on one line in which no character can steer a
/// terminal.
#[derive(Clone, Copy)]
pub(crate) struct ShownPath<'a>(pub(crate) &'a Path);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&path(self.0))
    }
}

impl Serialize for ShownPath<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}

/// A text of at most so many characters, the last of them `…` where it was longer.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut start: String = text.chars().take(most.saturating_sub(1)).collect();
    start.push('…');
    start
}

/// A text broken at its spaces into lines of at most so many characters, where that can be done.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let word_length = word.chars().count();
        match lines.last_mut() {
            Some(line) if length + 1 + word_length <= width => {
                line.push(' ');
                line.push_str(word);
                length += 1 + word_length;
            }
            _ => {
                lines.push(word.to_owned());
                length = word_length;
            }
        }
    }
    lines
}

/// A size as a person says it.
pub(crate) fn size(bytes: u64) -> String {
    ByteSize(bytes).display().si().to_string()
}

/// A duration as a person says it: `0.4 s`, `12.3 s`, `3 min 05 s`, `2 h 10 min`.
pub(crate) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A moment, given in milliseconds since 1970, in UTC: `2026-11-24 09:12:03`.
pub(crate) fn moment(milliseconds: u64) -> String {
    if milliseconds > LAST_MOMENT {
        return format!("{milliseconds} ms after 1970");
    }
    let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds);
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    text.replace('T', " ").replace('Z', "")
}

/// `1 stage`, `2 stages`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", digits(number)),
    }
}

/// A whole number with its thousands apart.
pub(crate) fn digits(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table with these headings, as wide as its cells make it.
pub(crate) fn wide_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(RULES).set_header(header);
    table
}

/// A table with these headings. On a terminal that is too narrow for it, cells are broken into lines.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = wide_table(header);
    if let Some(columns) = terminal::columns() {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(columns).unwrap_or(u16::MAX));
    }
    table
}

/// A table whose last column is prose, broken into lines.
pub(crate) fn prose_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(RULES)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(terminal::width_up_to(PROSE_TABLE)).unwrap_or(u16::MAX))
        .set_header(header);
    table
}

/// Sets columns of a table to the right.
pub(crate) fn right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// A table as it is printed: spaces that end lines say nothing.
pub(crate) fn lines(table: &Table) -> String {
    let lines = table.lines();
    let lines: Vec<_> = lines
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect();
    lines.concat()
}

/// Names and what they are, the names in a column; the rest is broken into lines.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0) + 2;
    let room = terminal::width().saturating_sub(width);
    let mut text = String::new();
    for (name, value) in fields {
        let mut name = *name;
        for line in value.lines().flat_map(|line| wrap(line, room)) {
            let _ = writeln!(text, "{name:width$}{line}");
            name = "";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        assert_eq!(plain("two\nlines\tand more"), "two lines and more");
        assert_eq!(plain("\u{1b}[2Jgone\u{7}"), r"\u{1b}[2Jgone\u{7}");
        assert_eq!(plain("δ ∘ tanh′ — fine"), "δ ∘ tanh′ — fine");
        assert_eq!(visible("  a\u{9b}1m\u{202e}b"), r"  a\u{9b}1m\u{202e}b");
    }

    #[test]
    fn moments_that_no_clock_shows_are_told_as_they_are() {
        assert_eq!(moment(0), "1970-01-01 00:00:00");
        assert_eq!(moment(LAST_MOMENT), "9999-12-31 23:59:59");
        assert_eq!(moment(u64::MAX), "18446744073709551615 ms after 1970");
    }

    #[test]
    fn long_texts_are_broken_and_numbers_are_grouped() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable no", 4), ["unbreakable", "no"]);
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(
            (digits(1_234_567), digits(12)),
            ("1,234,567".to_owned(), "12".to_owned())
        );
    }
}
