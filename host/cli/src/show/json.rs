//! The same facts for scripts: one JSON document on standard output.

use std::fmt::Write as _;

use assay_core::steers_terminal;
use assay_engine::{
    CHECKS, CheckReport, Outcome, Reason, RunOutcome, RunReport, StagePreview, TensorSummary,
};
use assay_report::{Quantity, ReportRow};
use serde_json::{Value, json};

use crate::command::data::{ShownDataset, ShownSplit};
use crate::command::run::ExportedReport;

pub(crate) fn preview(previews: &[StagePreview]) -> String {
    let stages: Vec<_> = previews.iter().map(preview_stage).collect();
    document(&json!({ "stages": stages }))
}

fn preview_stage(preview: &StagePreview) -> Value {
    let (reason, more) = match &preview.reason {
        Reason::Cached => ("cached", Value::Null),
        Reason::FirstOfItsKind => ("first-of-its-kind", Value::Null),
        Reason::Failed => ("failed", Value::Null),
        Reason::Damaged => ("damaged", Value::Null),
        Reason::Refused { why } => ("refused", json!({ "why": why })),
        Reason::DependsOn { stages } => ("depends-on", json!({ "stages": stages })),
        Reason::Differs {
            nearest,
            differences,
        } => {
            let differences: Vec<_> = differences
                .iter()
                .map(|difference| {
                    json!({
                        "field": difference.field,
                        "before": difference.before,
                        "now": difference.now,
                    })
                })
                .collect();
            (
                "differs",
                json!({ "nearest": nearest, "differences": differences }),
            )
        }
    };
    json!({
        "name": preview.name,
        "kind": preview.kind.name(),
        "action": preview.key,
        "reason": reason,
        "details": more,
    })
}

pub(crate) fn run(run: &RunReport, reports: &[ExportedReport]) -> String {
    let stages: Vec<_> = run
        .stages
        .iter()
        .map(|stage| {
            json!({
                "name": stage.planned.name,
                "kind": stage.planned.kind.name(),
                "outcome": stage.outcome,
                "action": stage.key,
                "artifact": stage.result.as_ref().map(|result| result.artifact),
                "duration_ms": stage.result.as_ref().map(|result| result.duration_ms),
                "peak_memory": stage.result.as_ref().map(|result| result.peak_memory),
                "containment": stage.result.as_ref().map(|result| result.containment),
                "limits": stage.result.as_ref().map(|result| result.limits),
                "failure": stage.failure.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    let reports: Vec<_> = reports
        .iter()
        .map(|report| {
            let rows: Vec<_> = report.rows.iter().map(row).collect();
            json!({ "stage": report.stage, "files": report.paths, "rows": rows })
        })
        .collect();
    let outcome = match run.outcome {
        RunOutcome::Complete => "complete",
        RunOutcome::Failed => "failed",
        RunOutcome::Stopped => "stopped",
    };
    document(&json!({
        "run": run.hash,
        "outcome": outcome,
        "stages": stages,
        "reports": reports,
    }))
}

fn row(row: &ReportRow) -> Value {
    let mut value = json!({
        "dataset": row.label.dataset,
        "network": row.label.network,
        "method": row.label.method,
        "task": row.task.name(),
        "algorithm": row.algorithm,
        "epochs": row.epochs,
        "seeds": row.seeds,
    });
    if let Some(figures) = row.figures {
        value["published"] = json!({
            "train_error": figures.train_error,
            "test_error": figures.test_error,
            "test_top_5_error": figures.test_top_5_error,
        });
    }
    for quantity in Quantity::of(row.task) {
        if let Some(statistic) = row.get(*quantity) {
            value[quantity.name(row.task)] =
                json!({ "mean": statistic.mean, "sd": statistic.sd, "n": statistic.n });
        }
    }
    value
}

pub(crate) fn directions(tensors: &[TensorSummary]) -> String {
    let tensors: Vec<_> = tensors
        .iter()
        .map(|tensor| {
            json!({
                "name": tensor.name,
                "shape": tensor.shape,
                "norm": tensor.norm,
                "mean": tensor.mean,
                "max": tensor.max,
            })
        })
        .collect();
    document(&json!({ "directions": tensors }))
}

pub(crate) fn checks(report: &CheckReport) -> String {
    let checks: Vec<_> = report
        .checks
        .iter()
        .map(|checked| {
            json!({
                "check": checked.check.name,
                "algorithm": checked.algorithm,
                "outcome": checked.verdict.outcome,
                "reason": checked.verdict.reason,
                "duration_ms": checked.duration_ms,
            })
        })
        .collect();
    document(&json!({
        "plugin": report.path,
        "library": report.library,
        "complete": !report.stopped,
        "passed": report.count(Outcome::Passed),
        "failed": report.count(Outcome::Failed),
        "skipped": report.count(Outcome::Skipped),
        "checks": checks,
    }))
}

pub(crate) fn check_list() -> String {
    let checks: Vec<_> = CHECKS
        .iter()
        .map(|check| {
            json!({
                "check": check.name,
                "of": if check.is_of_algorithm() { "algorithm" } else { "library" },
                "promise": check.promise,
                "why": check.why,
            })
        })
        .collect();
    document(&json!({ "checks": checks }))
}

pub(crate) fn dataset(dataset: &ShownDataset) -> String {
    let description = &dataset.description;
    let splits: Vec<_> = dataset.splits.iter().map(split).collect();
    let sheet = dataset.sheet.as_ref().map(|sheet| {
        json!({
            "file": sheet.path,
            "split": sheet.split,
            "width": sheet.size.0,
            "height": sheet.size.1,
            "columns": sheet.columns,
        })
    });
    document(&json!({
        "dataset": dataset.name,
        "artifact": dataset.artifact,
        "shape": description.shape,
        "classes": description.classes,
        "class_names": description.class_names,
        "scaling": description.scaling,
        "splits": splits,
        "sheet": sheet,
    }))
}

fn split(split: &ShownSplit) -> Value {
    let channels: Vec<_> = split
        .figures
        .channels
        .iter()
        .map(|channel| {
            json!({
                "mean": channel.mean,
                "standard_deviation": channel.standard_deviation,
                "smallest": channel.range.map(|(smallest, _)| smallest),
                "largest": channel.range.map(|(_, largest)| largest),
            })
        })
        .collect();
    json!({
        "name": split.name,
        "images": split.figures.label_counts.iter().sum::<u64>(),
        "bytes": split.bytes,
        "label_counts": split.figures.label_counts,
        "channels": channels,
    })
}

pub(super) fn document(value: &Value) -> String {
    // `{:#}` of a JSON value is its indented text; it cannot fail.
    let text = format!("{value:#}\n");
    let is_unfit = |char: char| char != '\n' && steers_terminal(char);
    if !text.contains(is_unfit) {
        return text;
    }
    // JSON escapes a part of what steers a terminal itself. What it leaves stands in strings, where
    // it may be escaped too; all of it has four hexadecimal digits.
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unfit(char) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    escaped
}
