//! The table as LaTeX, for `\input` into a paper that uses the package booktabs. It owns the escaping
//! of names; the numbers come ready to print.

use std::fmt::Write as _;

use super::selection::{CHOSEN_ON_TEST, selections};
use crate::conditions;
use crate::measure::ErrorMeasure;
use crate::report::Report;
use crate::results::{ReportRow, task_of};

pub(super) fn render(report: &Report) -> String {
    let rows = report.rows();
    let selections = selections(rows);
    let error = ErrorMeasure::of(task_of(rows));
    let columns: usize = selections.iter().map(|one| one.columns.len()).sum();
    // Writing to a `String` cannot fail.
    let mut text = String::from("% \\usepackage{booktabs}\n");
    let _ = writeln!(text, "% {}", comment(&report.title));
    for (name, conditions) in conditions::describe(rows) {
        let _ = writeln!(text, "% {}: {}", comment(&name), comment(&conditions));
    }
    let _ = writeln!(text, "% {} {}", error.heading, error.unit);
    let _ = writeln!(text, "\\begin{{tabular}}{{lr{}}}", "r".repeat(columns));
    text.push_str("\\toprule\n");
    text.push_str(" & ");
    let mut first = 3;
    let mut rules = String::new();
    for selection in &selections {
        let width = selection.columns.len();
        let _ = write!(
            text,
            " & \\multicolumn{{{width}}}{{c}}{{{}}}",
            escape(selection.name)
        );
        let _ = write!(rules, "\\cmidrule(lr){{{first}-{}}}", first + width - 1);
        first += width;
    }
    let _ = writeln!(text, " \\\\\n{rules}");
    text.push_str("Method & Seeds");
    for (heading, _) in selections.iter().flat_map(|one| &one.columns) {
        let _ = write!(text, " & {}", escape(heading));
    }
    text.push_str(" \\\\\n");
    let mut network = None;
    for row in rows {
        let own = (&row.label.dataset, &row.label.network);
        if network != Some(own) {
            network = Some(own);
            let _ = writeln!(
                text,
                "\\midrule\n\\multicolumn{{{}}}{{l}}{{\\textit{{{}, {}}}}} \\\\",
                columns + 2,
                escape(own.0),
                escape(own.1)
            );
        }
        let _ = write!(
            text,
            "{} & {}",
            escape(&row.show_method()),
            row.show_seeds()
        );
        for (_, column) in selections.iter().flat_map(|one| &one.columns) {
            let _ = write!(text, " & {}", escape(&column.show(row)));
        }
        text.push_str(" \\\\\n");
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    if rows.iter().any(ReportRow::is_marked) {
        let _ = writeln!(text, "\n$\\dagger$ {}", escape(CHOSEN_ON_TEST));
    }
    text
}

/// Text for a line of comments.
fn comment(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('·', ";")
}

/// Text as LaTeX prints it.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => escaped.push(' '),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '|' => escaped.push_str("\\textbar{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '±' => escaped.push_str("$\\pm$"),
            '−' => escaped.push_str("$-$"),
            '†' => escaped.push_str("$\\dagger$"),
            '—' => escaped.push_str("---"),
            '–' => escaped.push_str("--"),
            '’' => escaped.push('\''),
            _ => escaped.push(character),
        }
    }
    escaped
}
