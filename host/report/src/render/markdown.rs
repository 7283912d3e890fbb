//! The table as GitHub-flavoured Markdown, with the definitions beneath it. It owns the escaping
//! of names; the numbers come ready to print.

use std::fmt::Write as _;

use super::comparison::{CONDITIONS, Comparison, HEADINGS, comparability, comparison};
use super::sections::Section;
use super::selection::{CHOSEN_ON_TEST, measured, selections};
use crate::conditions;
use crate::report::Report;
use crate::results::ReportRow;

pub(super) fn render(report: &Report, sections: &[Section], reproduce: Option<&str>) -> String {
    let selections = selections(report.rows());
    let mut headings = ["Dataset", "Network", "Method", "Seeds", "Epochs"]
        .map(str::to_owned)
        .to_vec();
    for selection in &selections {
        let columns = selection.columns.iter();
        headings.extend(columns.map(|(heading, _)| format!("{}: {heading}", selection.name)));
    }
    let mut text = format!("# {}\n\n", escape(&report.title));
    // Writing to a `String` cannot fail.
    for (name, conditions) in conditions::describe(report.rows()) {
        let _ = writeln!(text, "- **{}:** {}", escape(&name), escape(&conditions));
    }
    let _ = write!(text, "\n{}\n\n", measured(report.rows()));
    line(&mut text, &headings);
    let rules = (0..headings.len()).map(|column| if column < 3 { "---" } else { "---:" });
    line(&mut text, &rules.map(str::to_owned).collect::<Vec<_>>());
    for row in report.rows() {
        let label = &row.label;
        let method = row.show_method();
        let mut cells = [&label.dataset, &label.network, &method]
            .map(|name| escape(name))
            .to_vec();
        cells.extend([row.show_seeds(), row.epochs.to_string()]);
        for selection in &selections {
            cells.extend(selection.columns.iter().map(|(_, column)| column.show(row)));
        }
        line(&mut text, &cells);
    }
    text.push('\n');
    for selection in &selections {
        let _ = writeln!(text, "- **{}.** {}", selection.name, selection.definition);
    }
    if report.rows().iter().any(ReportRow::is_marked) {
        let _ = writeln!(text, "- **†** {CHOSEN_ON_TEST}");
    }
    for section in sections {
        push_section(&mut text, section);
    }
    if let Some(comparison) = comparison(report) {
        push_comparison(&mut text, &comparison);
    }
    if let Some(command) = reproduce {
        let fence = "`".repeat(longest_run(command, '`').max(2) + 1);
        let _ = write!(text, "\nMake it again:\n\n{fence}sh\n{command}\n{fence}\n");
    }
    text
}

fn push_section(text: &mut String, section: &Section) {
    let _ = write!(
        text,
        "\n## {}\n\n{}\n\n",
        section.title,
        escape(&section.definition)
    );
    line(text, &section.headings);
    let rules = (0..section.headings.len()).map(|column| {
        if section.is_number(column) {
            "---:"
        } else {
            "---"
        }
    });
    line(text, &rules.map(str::to_owned).collect::<Vec<_>>());
    for row in &section.rows {
        line(
            text,
            &row.iter().map(|cell| escape(cell)).collect::<Vec<_>>(),
        );
    }
}

fn push_comparison(text: &mut String, comparison: &Comparison<'_>) {
    let _ = write!(
        text,
        "\n## {}\n\n{}\n\n",
        escape(&comparison.title()),
        escape(&comparison.definition())
    );
    let mut headings = ["Dataset", "Network", "Method"].map(str::to_owned).to_vec();
    for error in &comparison.errors {
        headings.extend(HEADINGS.map(|heading| format!("{error}: {heading}")));
    }
    headings.push(CONDITIONS.to_owned());
    line(text, &headings);
    let last = headings.len() - 1;
    let is_text = |column: usize| column < 3 || column == last;
    let rules = (0..headings.len()).map(|column| if is_text(column) { "---" } else { "---:" });
    line(text, &rules.map(str::to_owned).collect::<Vec<_>>());
    for (row, cells) in &comparison.rows {
        let label = &row.label;
        let names = [&label.dataset, &label.network, &label.method].map(|name| escape(name));
        let mut line_cells = names.to_vec();
        line_cells.extend(cells.iter().flatten().cloned());
        line_cells.push(comparability(row));
        line(text, &line_cells);
    }
}

fn line(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// A name as plain text within a table cell.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

fn longest_run(text: &str, wanted: char) -> usize {
    let runs = text.split(|character| character != wanted);
    runs.map(str::len).max().unwrap_or(0)
}
