//! `pipeline audit`: whether what the store holds is what its names say, and what any damage
//! affects; moves it aside where that is asked for.

use std::process::ExitCode;

use assay_audit::{AuditReport, Index, Moved, Scope, Subject, audit, fix};
use assay_engine::Cancel;
use assay_store::Store;

use super::rerun;
use crate::arguments::AuditArguments;
use crate::error::CliError;
use crate::show;
use crate::show::audit::AuditView;

/// An audit as it is shown.
pub(crate) struct ShownAudit<'a> {
    pub(crate) store: &'a Store,
    pub(crate) report: AuditReport,
    /// What `--fix` moved; nothing where it was not asked for.
    pub(crate) moved: Option<Vec<Moved>>,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
}

pub(crate) fn run(arguments: &AuditArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let (again, json) = (&arguments.rerun, arguments.json);
    if let Some(bundle) = &again.against {
        return rerun::against(again, bundle, json, cancel);
    }
    let store = arguments.store.open_existing()?;
    if again.is_asked() {
        return rerun::again(again, &store, &arguments.names, json, cancel);
    }
    let subjects = subjects(&store, &arguments.names)?;
    let scope = match (arguments.all, subjects.as_slice()) {
        (true, _) => Scope::All,
        (false, []) => Scope::Named,
        (false, subjects) => Scope::Subjects(subjects),
    };
    let view = AuditView::new();
    let audited = audit(&store, scope, &view);
    let duration_ms = view.finish();
    let report = audited?;
    let moved = arguments.fix.then(|| fix(&store, &report)).transpose()?;
    let shown = ShownAudit {
        store: &store,
        report,
        moved,
        duration_ms,
    };
    show::print(&if arguments.json {
        show::audit::json::text(&shown)
    } else {
        show::audit::text(&shown)
    })?;
    Ok(match (shown.report.damaged(), shown.report.unreadable()) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    })
}

fn subjects(store: &Store, names: &[String]) -> Result<Vec<Subject>, CliError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let index = Index::read(store)?;
    let found = names.iter().map(|name| Subject::find(store, &index, name));
    Ok(found.collect::<Result<_, _>>()?)
}
