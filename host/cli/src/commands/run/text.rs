//! A run as text, for people: a table for each report, what its columns mean, and the outcome.

use std::fmt::Write as _;

use assay_report::{ErrorMeasure, Quantity, Task, shortfalls};

use super::view::{ReportView, RowView, RunView};
use crate::ui::action::outcomes;
use crate::ui::words::{lines, plain, right, table, wrap};
use crate::ui::{duration, terminal};

pub(super) fn text(run: &RunView<'_>) -> String {
    let mut text = String::new();
    for report in &run.reports {
        let _ = writeln!(text, "{}", report_table(&report.rows));
        text.push_str(&fitted(&notes(report)));
        text.push('\n');
        for path in &report.files {
            let _ = writeln!(text, "  {path}");
        }
    }
    let outcomes = outcomes(&run.stages.iter().map(|stage| stage.outcome).collect());
    let _ = writeln!(text, "\nrun {}: {outcomes}", run.run);
    text.trim_start().to_owned()
}

/// What the columns of a report's table mean, and what its numbers cannot be compared with.
fn notes(report: &ReportView<'_>) -> String {
    let mut text = String::new();
    // All rows of a report have the same task.
    let task = report.rows.first().map(|row| row.row.task);
    let measure = ErrorMeasure::of(task.unwrap_or(Task::Classification));
    let _ = writeln!(
        text,
        "{} {}.\nBest epoch: lowest test error over the epochs, as the paper reports it (chosen on \
         the test set).\nLast: after the last epoch. Validation: test error of the epoch chosen on \
         held-out training data.",
        measure.heading, measure.unit
    );
    if report.rows.iter().any(|row| row.search.is_some()) {
        text.push_str(
            "Optimism: what trainings from fresh seeds have more of the error that the search chose by.\n",
        );
    }
    if report.rows.iter().any(|row| row.row.is_marked()) {
        text.push_str("†: the configuration was chosen on the test set, as the paper does.\n");
    }
    let published = report.rows.iter().filter(|row| row.row.figures.is_some());
    let published = published.count();
    for (shortfall, rows) in shortfalls(report.rows.iter().map(|row| row.row)) {
        let _ = write!(text, "Not comparable with the paper: {shortfall}");
        if rows.len() < published {
            let methods = rows.iter().map(|row| plain(&row.label.method));
            let _ = write!(text, " ({})", methods.collect::<Vec<_>>().join(", "));
        }
        text.push_str(".\n");
    }
    text
}

/// The lines as they are, and on a terminal broken into lines that fit.
fn fitted(text: &str) -> String {
    let Some(columns) = terminal::columns() else {
        return text.to_owned();
    };
    let lines = text.lines().flat_map(|line| wrap(line, columns));
    lines.map(|line| line + "\n").collect()
}

fn report_table(rows: &[RowView<'_>]) -> String {
    let first = rows.first();
    let is_shown = |differs: fn(&RowView<'_>, &RowView<'_>) -> bool| {
        first.is_some_and(|first| rows.iter().any(|row| differs(row, first)))
    };
    // A column with the same value in every row says nothing in a table.
    let with_dataset = is_shown(|row, first| row.dataset != first.dataset);
    let with_network = is_shown(|row, first| row.network != first.network);
    let with_diverged = rows.iter().any(|row| row.diverged > 0);
    let with_search = rows.iter().any(|row| row.search.is_some());
    let with_published = rows.iter().any(|row| published_test_error(row).is_some());
    let mut header = Vec::new();
    header.extend(with_dataset.then_some("dataset"));
    header.extend(with_network.then_some("network"));
    let names = header.len() + 1;
    header.extend([
        "method",
        "epochs",
        "train error\nbest epoch",
        "test error\nbest epoch",
    ]);
    if with_diverged {
        header.insert(names + 1, "diverged");
    }
    if with_published {
        header.extend(["paper", "difference"]);
    }
    header.extend(["test error\nlast", "test error\nvalidation"]);
    header.extend(with_search.then_some("optimism"));
    header.push("time");
    let numbers: Vec<_> = (names..header.len()).collect();
    let mut shown = table(&header);
    for row in rows {
        let show = |quantity| row.row.show(quantity);
        let mut cells = Vec::new();
        cells.extend(with_dataset.then(|| plain(row.dataset)));
        cells.extend(with_network.then(|| plain(row.network)));
        cells.extend([plain(&row.row.show_method()), row.epochs.to_string()]);
        cells.extend(with_diverged.then(|| format!("{} of {}", row.diverged, row.seeds)));
        cells.extend([Quantity::TrainErrorBestEpoch, Quantity::TestErrorBestEpoch].map(show));
        if with_published {
            let figure = published_test_error(row);
            cells.extend(row.row.show_beside(figure, Quantity::TestErrorBestEpoch));
        }
        cells.extend(
            [
                Quantity::TestErrorLastEpoch,
                Quantity::TestErrorValidationEpoch,
            ]
            .map(show),
        );
        if with_search {
            let decimals = ErrorMeasure::of(row.row.task).decimals;
            let optimism = row.search.and_then(|search| search.optimism);
            cells.push(optimism.map_or("—".to_owned(), |it| format!("{it:+.decimals$}")));
        }
        cells.push(row.training_ms.map_or("—".to_owned(), duration));
        shown.add_row(cells);
    }
    right(&mut shown, &numbers);
    lines(&shown)
}

fn published_test_error(row: &RowView<'_>) -> Option<f64> {
    row.published.as_ref()?.test
}
