//! `pipeline run`: preview or run a pipeline file, and show the reports it made.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::{StageKind, StageOutcome};
use assay_engine::{
    Cancel, DeviceError, Failure, LockMode, REPORT_TABLE, RunOutcome, RunReport, Session, Settings,
    StageReport,
};
use assay_report::{ErrorMeasure, Quantity, ReportRow, Task, read_table};
use assay_store::Store;
use clap::Args;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use crate::arguments::MOST_JOBS;
use crate::arguments::plan::PlanArguments;
use crate::error::{CliError, STOPPED};
use crate::export::export;
use crate::ui::json::document;
use crate::ui::progress::ProgressView;
use crate::ui::terminal::say;
use crate::ui::words::plain;
use crate::ui::{self, RULES, duration, error};

const EXAMPLES: &str = "\
Examples:
  pipeline run pipelines/quickstart.toml
  pipeline run pipelines/quickstart.toml --dry-run
  pipeline run pipelines/quickstart.toml --set train.epochs=10 --jobs 4
  pipeline run pipelines/quickstart.toml --only train/bp
  pipeline run pipelines/mnist.toml --device cuda:all
  pipeline run pipelines/quickstart.toml --lock
  pipeline run pipelines/quickstart.toml --locked --trusted-only
  pipeline run pipelines/quickstart.toml --set method.bp.hyperparameters.learning_rate=0.001

Exit codes: 0 done (or, with --dry-run, planned), 1 a stage failed, 2 the pipeline or the store
cannot be used, or standard output takes no table (the run is recorded all the same), 130 stopped.

Ctrl-C stops within a second; where stages run, each ends its step first and keeps its checkpoint.
A second Ctrl-C stops at once.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    plan: PlanArguments,

    /// Run only these stages and what they need; `train/bp` stands for everything below it
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,

    /// Say what would run and why, and run nothing
    #[arg(long)]
    dry_run: bool,

    /// Stages to run at a time; on cards, shared evenly among them [default: processors / threads, and
    /// one at a time on each card]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_JOBS))]
    jobs: Option<u32>,

    /// After a failure, go on with the stages that do not depend on it
    #[arg(long, short)]
    keep_going: bool,

    #[command(flatten)]
    lock: LockArguments,

    /// Where to lay out reports [default: STORE/reports/PIPELINE]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
}

/// What the pipeline file's lock is to a run.
#[derive(Args, Debug)]
struct LockArguments {
    /// Write what the run uses to the lock beside the file: NAME.lock, for version control
    #[arg(long, conflicts_with = "locked")]
    lock: bool,

    /// Run nothing whose plugin or dataset is not as the lock has it
    #[arg(long)]
    locked: bool,
}

impl RunArguments {
    pub(crate) fn settings(&self, cancel: &Cancel) -> Result<Settings, DeviceError> {
        self.plan.settings(self.jobs, self.keep_going, cancel)
    }

    fn lock_mode(&self) -> LockMode {
        match (self.lock.lock, self.lock.locked) {
            (true, _) => LockMode::Write,
            (false, true) => LockMode::Enforce,
            (false, false) => LockMode::Remark,
        }
    }
}

/// A report of a run, laid out for a person.
struct ExportedReport {
    /// The report stage.
    stage: String,
    /// Its table.
    rows: Vec<ReportRow>,
    /// Its files.
    paths: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &RunArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let plan = &arguments.plan;
    let trust = plan.trust.policy()?;
    let request = plan.request(&arguments.only, &trust, arguments.lock_mode());
    // Before anything is made or started: a device that is not there leaves no trace.
    let settings = arguments.settings(cancel)?;
    ui::print_containment_notice();
    let store = Store::open(&plan.places.store.path)?;
    let session = Session::open(store, settings, request, cancel)?;
    ui::notice::print(&session.notices());
    if arguments.dry_run {
        let previews = session.preview(cancel)?;
        ui::print(&if arguments.json {
            ui::preview::json(&previews)
        } else {
            ui::preview::text(&previews)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.lock.lock {
        ui::notice::print_written(session.write_lock()?);
    }
    let view = ProgressView::new(session.stage_names());
    let report = session.run(cancel, &view)?;
    view.finish();
    let reports = export_reports(arguments, &session, &report)?;
    let printed = ui::print(&if arguments.json {
        json(&report, &reports)
    } else {
        text(&report, &reports)
    });
    // The run is recorded, and what failed is told, whoever takes the table.
    print_failures(&report, arguments);
    printed?;
    Ok(match report.outcome {
        RunOutcome::Complete => ExitCode::SUCCESS,
        RunOutcome::Failed => ExitCode::FAILURE,
        RunOutcome::Stopped => ExitCode::from(STOPPED),
    })
}

fn export_reports(
    arguments: &RunArguments,
    session: &Session,
    report: &RunReport,
) -> Result<Vec<ExportedReport>, CliError> {
    let folder = arguments
        .output
        .clone()
        .unwrap_or_else(|| session.store().root().join("reports").join(session.name()));
    let mut exported = Vec::new();
    for stage in &report.stages {
        let (StageKind::Report, Some(result)) = (stage.planned.kind(), &stage.result) else {
            continue;
        };
        let paths = export(
            session.store(),
            result.artifact,
            &folder.join(&stage.planned.name),
        )?;
        let table = session
            .store()
            .artifact_file_path(result.artifact, REPORT_TABLE)?;
        let rows = read_table(&table)?;
        exported.push(ExportedReport {
            stage: stage.planned.name.clone(),
            rows,
            paths,
        });
    }
    Ok(exported)
}

fn text(run: &RunReport, reports: &[ExportedReport]) -> String {
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
            let _ = writeln!(text, "  {}", crate::ui::words::path(path));
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
fn print_failures(run: &RunReport, arguments: &RunArguments) {
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
    // A column with the same value in every row says nothing in a table.
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
        stage.planned.training().is_some_and(|training| {
            training.algorithm == row.algorithm
                && training.epochs == row.epochs
                && training.hyperparameters == row.hyperparameters
        }) && stage.planned.labels.as_ref().is_some_and(|labels| {
            labels.dataset == row.label.dataset && labels.network == row.label.network
        })
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

fn json(run: &RunReport, reports: &[ExportedReport]) -> String {
    let stages: Vec<_> = run
        .stages
        .iter()
        .map(|stage| {
            json!({
                "name": stage.planned.name,
                "kind": stage.planned.kind().name(),
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
            let rows: Vec<_> = report.rows.iter().map(row_json).collect();
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

fn row_json(row: &ReportRow) -> Value {
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
