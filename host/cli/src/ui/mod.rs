//! Shared by the verbs to talk to a person: the terminal, words, tables, progress and errors. Tables and
//! documents go to standard output, progress and errors to standard error.

pub(crate) mod action;
pub(crate) mod bytes;
pub(crate) mod compare;
pub(crate) mod containment;
pub(crate) mod content;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod notice;
pub(crate) mod preview;
pub(crate) mod progress;
pub(crate) mod role;
pub(crate) mod terminal;
pub(crate) mod words;

use comfy_table::{LineStyle, TableStyle};

pub(crate) use terminal::print;
use terminal::say;

/// Lines above, below and under the header, as books set tables.
pub(crate) const RULES: TableStyle = {
    let rule = LineStyle::none().fill('─').junction('─');
    TableStyle::new()
        .top_border(rule)
        .header_separator(rule)
        .bottom_border(rule)
};

/// Says on standard error what this kernel lacks to contain plugins, if anything.
pub(crate) fn print_containment_notice() {
    if let Some(notice) = containment::notice(assay_engine::kernel_support()) {
        say(&notice);
    }
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
