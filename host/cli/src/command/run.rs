//! `pipeline run`: preview or run a pipeline file, and show the reports it made.

use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::StageKind;
use assay_engine::{Cancel, REPORT_TABLE, RunOutcome, RunReport, Session};
use assay_report::{ReportRow, read_table};
use assay_store::Store;

use crate::arguments::RunArguments;
use crate::error::{CliError, STOPPED};
use crate::export::export;
use crate::show;
use crate::show::progress::ProgressView;

/// A report of a run, laid out for a person.
pub(crate) struct ExportedReport {
    /// The report stage.
    pub(crate) stage: String,
    /// Its table.
    pub(crate) rows: Vec<ReportRow>,
    /// Its files.
    pub(crate) paths: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &RunArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let plan = &arguments.plan;
    let trust = plan.trust.policy()?;
    let request = plan.request(&arguments.only, &trust, arguments.lock_mode());
    // Before anything is made or started: a device that is not there leaves no trace.
    let settings = arguments.settings(cancel)?;
    show::print_containment_notice();
    let store = Store::open(&plan.places.store.path)?;
    let session = Session::open(store, settings, request, cancel)?;
    show::notice::print(&session.notices());
    if arguments.dry_run {
        let previews = session.preview(cancel)?;
        show::print(&if arguments.json {
            show::json::preview(&previews)
        } else {
            show::preview::text(&previews)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.lock.lock {
        show::notice::print_written(session.write_lock()?);
    }
    let view = ProgressView::new(session.stage_names());
    let report = session.run(cancel, &view)?;
    view.finish();
    let reports = export_reports(arguments, &session, &report)?;
    let printed = show::print(&if arguments.json {
        show::json::run(&report, &reports)
    } else {
        show::run::text(&report, &reports)
    });
    // The run is recorded, and what failed is told, whoever takes the table.
    show::run::print_failures(&report, arguments);
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
        let (StageKind::Report, Some(result)) = (stage.planned.kind, &stage.result) else {
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
