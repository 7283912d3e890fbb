//! The end of a run in words: its tables, the files it wrote, and what failed.

use std::fmt::Write as _;

use assay_core::{StageKind, StageOutcome};
use assay_engine::{Failure, RunOutcome, RunReport, StageReport};
use assay_report::{ErrorMeasure, Quantity, ReportRow, Task};
use comfy_table::{CellAlignment, Table};

use super::words::plain;
use super::{RULES, duration, error};
use crate::arguments::RunArguments;
use crate::command::run::ExportedReport;
use crate::terminal::say;

pub(crate) fn text(run: &RunReport, reports: &[ExportedReport]) -> String {
    let mut text = String::new();
    for report in reports {
        let _ = writeln!(text, "{}\n", table(&report.rows, &run.stages));
        let measure = ErrorMeasure::of(task(&report.rows));
        let _ = writeln!(
            text,
            "{} {}.\nBest epoch: lowest test error over the epochs, as the paper reports it (chosen on \
             the test set).\nLast: after the last epoch. Validation: test error of the epoch chosen on \
             held-out training data.\n",
            measure.heading, measure.unit
        );
        for path in &report.paths {
            let _ = writeln!(text, "  {}", super::words::path(path));
        }
    }
    let count = |outcome| {
        run.stages
            .iter()
            .filter(|stage| stage.outcome == outcome)
            .count()
    };
    let _ = write!(text, "\nrun {}: ", run.hash);
    let counts = [
        (count(StageOutcome::Ran), "ran"),
        (count(StageOutcome::Cached), "cached"),
        (count(StageOutcome::Failed), "failed"),
        (count(StageOutcome::Skipped), "skipped"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let _ = writeln!(text, "{}", counts.join(", "));
    text.trim_start().to_owned()
}

/// Failed stages on standard error, and how to go on after a stop.
pub(crate) fn print_failures(run: &RunReport, arguments: &RunArguments) {
    for stage in &run.stages {
        match &stage.failure {
            None | Some(Failure::Cancelled) => {}
            Some(failure) => say(&error::stage(&stage.planned.name, failure)),
        }
    }
    let skipped = run
        .stages
        .iter()
        .any(|stage| stage.outcome == StageOutcome::Skipped);
    match run.outcome {
        RunOutcome::Failed if skipped && !arguments.keep_going => {
            say("the rest was not run; --keep-going runs what does not depend on a failure");
        }
        RunOutcome::Complete | RunOutcome::Failed => {}
        RunOutcome::Stopped => {
            say("stopped; the same command goes on from the last checkpoints");
        }
    }
}

/// The task of a report, whose rows all have it.
fn task(rows: &[ReportRow]) -> Task {
    rows.first().map_or(Task::Classification, |row| row.task)
}

fn table(rows: &[ReportRow], stages: &[StageReport]) -> String {
    let several = |name: fn(&ReportRow) -> &str| {
        rows.first()
            .is_some_and(|first| rows.iter().any(|row| name(row) != name(first)))
    };
    let dataset: fn(&ReportRow) -> &str = |row| row.label.dataset.as_str();
    let network: fn(&ReportRow) -> &str = |row| row.label.network.as_str();
    // What is the same in every row says nothing in a table.
    let shown: Vec<_> = [("dataset", dataset), ("network", network)]
        .into_iter()
        .filter(|(_, name)| several(*name))
        .collect();
    let mut header: Vec<_> = shown.iter().map(|(title, _)| *title).collect();
    header.extend([
        "method",
        "epochs",
        "train error\nbest epoch",
        "test error\nbest epoch",
    ]);
    let published = rows.iter().any(|row| published_test_error(row).is_some());
    if published {
        header.extend(["paper", "difference"]);
    }
    header.extend(["test error\nlast", "test error\nvalidation", "time"]);
    let mut table = Table::new();
    table.load_style(RULES).set_header(header);
    for row in rows {
        let mut cells: Vec<_> = shown.iter().map(|(_, name)| plain(name(row))).collect();
        cells.push(plain(&row.label.method));
        cells.push(row.epochs.to_string());
        let show = |quantity| row.show(quantity);
        cells.extend([Quantity::TrainErrorBestEpoch, Quantity::TestErrorBestEpoch].map(show));
        if published {
            let figure = published_test_error(row);
            cells.extend(row.show_beside(figure, Quantity::TestErrorBestEpoch));
        }
        cells.extend(
            [
                Quantity::TestErrorLastEpoch,
                Quantity::TestErrorValidationEpoch,
            ]
            .map(show),
        );
        cells.push(training_time(row, stages));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(shown.len() + 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn published_test_error(row: &ReportRow) -> Option<f64> {
    row.figures?.test_error
}

/// The mean time of the row's trainings. Times are facts of executions and lie in their results,
/// so a cached training shows the time it once took.
fn training_time(row: &ReportRow, stages: &[StageReport]) -> String {
    let is_of_row = |stage: &&StageReport| {
        let parameter = |name: &str| stage.planned.parameters.get(name);
        stage.planned.kind == StageKind::Train
            && stage.planned.labels.as_ref().is_some_and(|labels| {
                labels.dataset == row.label.dataset && labels.network == row.label.network
            })
            && parameter("algorithm").and_then(|name| name.as_str()) == Some(&row.algorithm)
            && parameter("epochs").and_then(serde_json::Value::as_u64) == Some(row.epochs.into())
            && parameter("hyperparameters").and_then(|values| values.as_object())
                == Some(&row.hyperparameters)
    };
    let times: Vec<_> = stages
        .iter()
        .filter(is_of_row)
        .filter_map(|stage| Some(stage.result.as_ref()?.duration_ms))
        .collect();
    match times.len() as u64 {
        0 => "—".to_owned(),
        count => duration(times.iter().sum::<u64>() / count),
    }
}
