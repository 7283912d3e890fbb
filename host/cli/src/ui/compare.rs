//! The differences between two artifacts, in words: a line for each file, column, tensor and value.

use std::fmt::Write as _;

use assay_audit::formats::{
    ColumnDifference, ContentDifference, Inside, TableDifference, TensorChange, TensorDifference,
    TensorsDifference, TextDifference, ValuesDifference,
};
use assay_audit::{FileChange, FileDifference};
use assay_core::Difference;
use serde_json::Value;

use crate::ui::words::{cut, digits, visible};

/// A list that is longer ends with how many more there are; `--json` has them all.
const LONGEST_LIST: usize = 40;
/// The most characters of a value: hashes and long lists are recognised by their beginning.
const LONGEST_VALUE: usize = 61;

/// Every difference, indented by so many spaces.
pub(crate) fn files(differences: &[FileDifference], indent: usize) -> String {
    let mut text = String::new();
    let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + 2));
    for FileDifference { file, change } in differences {
        let (line, lines) = match change {
            FileChange::Missing { size } => (
                format!("is missing; it had {} bytes", digits(*size)),
                Vec::new(),
            ),
            FileChange::Extra { size } => {
                (format!("is new, with {} bytes", digits(*size)), Vec::new())
            }
            FileChange::MediaType { before, now } => {
                (format!("is said to be {now}, and was {before}"), Vec::new())
            }
            FileChange::Content(content) => (bytes(content), inside(content)),
            FileChange::Unreadable { reason } => {
                (format!("differs, and cannot be read: {reason}"), Vec::new())
            }
        };
        let _ = writeln!(text, "{outer}{}: {}", visible(file), visible(&line));
        for line in lines {
            let _ = writeln!(text, "{inner}{}", visible(&line));
        }
    }
    text
}

/// Fields with both values, a line each.
pub(crate) fn fields(differences: &[Difference]) -> Vec<String> {
    let lines = differences.iter().map(|difference| {
        let (before, now) = (difference.before.as_ref(), difference.now.as_ref());
        format!(
            "{}: {} → {}",
            visible(&difference.field),
            value(before),
            value(now)
        )
    });
    listed(lines, differences.len())
}

fn listed(lines: impl Iterator<Item = String>, all: usize) -> Vec<String> {
    let mut lines: Vec<_> = lines.take(LONGEST_LIST).collect();
    if all > lines.len() {
        lines.push(format!("and {} more", all - lines.len()));
    }
    lines
}

fn bytes(content: &ContentDifference) -> String {
    let [before, now] = content.sizes;
    let mut text = if before == now {
        format!(
            "{} of {} bytes differ",
            digits(content.bytes.differing),
            digits(before)
        )
    } else {
        format!("{} → {} bytes", digits(before), digits(now))
    };
    if let Some(first) = content.bytes.first {
        let _ = write!(text, ", the first at offset {}", digits(first));
    }
    if content.inside.as_ref().is_some_and(Inside::is_empty) {
        text.push_str("; the content is the same, encoded otherwise");
    }
    text
}

fn inside(content: &ContentDifference) -> Vec<String> {
    match &content.inside {
        Some(Inside::Table(table)) => self::table(table),
        Some(Inside::Tensors(tensors)) => self::tensors(tensors),
        Some(Inside::Json { values }) => fields(values),
        Some(Inside::Text(text)) => self::text(text),
        None => {
            let undecoded = content.undecoded.iter();
            undecoded
                .map(|reason| format!("its content cannot be compared: {reason}"))
                .collect()
        }
    }
}

fn table(table: &TableDifference) -> Vec<String> {
    let mut lines = fields(&table.metadata);
    let [before, now] = table.rows;
    if before != now {
        lines.push(format!("{} → {} rows", digits(before), digits(now)));
    }
    lines.extend(table.schema.iter().map(|column| {
        let form = |form: &Option<String>| form.clone().unwrap_or_else(|| "(absent)".to_owned());
        let (before, now) = (form(&column.before), form(&column.now));
        format!("column `{}`: {before} → {now}", column.column)
    }));
    for column in &table.columns {
        lines.extend(self::column(column, before.min(now)));
    }
    lines
}

fn column(column: &ColumnDifference, of: u64) -> Vec<String> {
    let mut first = format!(
        "column `{}`: {} of {} rows differ",
        column.column,
        digits(column.rows),
        digits(of)
    );
    if let Some(epoch) = column.first_epoch {
        let _ = write!(first, ", from epoch {epoch} on");
    }
    if let Some(absolute) = column.largest_absolute {
        let _ = write!(first, "; by {} at most", number(absolute));
    }
    if let Some(relative) = column.largest_relative {
        let _ = write!(first, ", {} %", number(relative * 100.0));
    }
    let key = column
        .first_key
        .iter()
        .map(|(name, value)| format!("{name} {value}"));
    let key: Vec<_> = key.collect();
    let key = if key.is_empty() {
        String::new()
    } else {
        format!(" ({})", key.join(", "))
    };
    let (row, before, now) = (digits(column.first_row), &column.before, &column.now);
    vec![first, format!("  row {row}{key}: {before} → {now}")]
}

fn tensors(tensors: &TensorsDifference) -> Vec<String> {
    let mut lines = fields(&tensors.metadata);
    let differing = tensors.differing.len();
    if differing > 0 {
        let [before, now] = tensors.tensors;
        lines.push(format!(
            "{} of {} tensors differ",
            digits(differing as u64),
            digits(before.max(now))
        ));
    }
    lines.extend(listed(tensors.differing.iter().map(tensor), differing));
    lines
}

fn tensor(difference: &TensorDifference) -> String {
    let name = &difference.tensor;
    match &difference.change {
        TensorChange::Missing { form } => format!("{name}: is missing; it was {form}"),
        TensorChange::Extra { form } => format!("{name}: is new, {form}"),
        TensorChange::Form { before, now } => format!("{name}: {before} → {now}"),
        TensorChange::Values(values) => format!("{name}: {}", self::values(values)),
    }
}

fn values(values: &ValuesDifference) -> String {
    let mut text = format!(
        "{} of {} differ",
        digits(values.differing),
        digits(values.elements)
    );
    if let Some(largest) = &values.largest {
        let (before, now) = (number(largest.before), number(largest.now));
        let _ = write!(
            text,
            "; by {} at most, at {:?}: {before} → {now}",
            number(largest.absolute),
            largest.index
        );
    }
    match values.largest_ulps {
        None => {}
        Some(1) => text.push_str("; neighbours at most"),
        Some(ulps) => {
            let _ = write!(text, "; {} ulps at most", digits(ulps));
        }
    }
    if values.not_finite > 0 {
        let _ = write!(text, "; {} not finite", digits(values.not_finite));
    }
    text
}

fn text(text: &TextDifference) -> Vec<String> {
    let [before, now] = text.lines;
    let mut lines = vec![format!(
        "{} of {} lines differ",
        digits(text.differing),
        digits(before.max(now))
    )];
    if let Some(first) = &text.first {
        lines.push(format!("line {}:", digits(first.line)));
        lines.extend(
            first
                .before
                .iter()
                .map(|line| format!("- {}", cut(line, LONGEST_VALUE))),
        );
        lines.extend(
            first
                .now
                .iter()
                .map(|line| format!("+ {}", cut(line, LONGEST_VALUE))),
        );
    }
    lines
}

/// A value, or the beginning of a long one.
fn value(value: Option<&Value>) -> String {
    value.map_or_else(
        || "(absent)".to_owned(),
        |value| cut(&value.to_string(), LONGEST_VALUE),
    )
}

/// A number to four digits.
pub(crate) fn number(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-3..1e6).contains(&magnitude) {
        return format!("{number:.3e}");
    }
    let whole = magnitude.max(1.0).log10().floor() as usize + 1;
    let text = format!("{number:.*}", 6_usize.saturating_sub(whole));
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}
