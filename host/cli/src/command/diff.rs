//! `pipeline diff`: what differs between two runs.

use std::process::ExitCode;

use assay_audit::{AuditError, Index, RunDifference, Subject};
use assay_core::{Run, RunHash};
use assay_store::Store;

use crate::arguments::DiffArguments;
use crate::error::CliError;
use crate::show;

/// Two runs and what differs between them.
pub(crate) struct ShownDifference {
    pub(crate) runs: [(RunHash, Run); 2],
    pub(crate) difference: RunDifference,
}

pub(crate) fn run(arguments: &DiffArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = Index::read(&store)?;
    let before = find_run(&store, &index, &arguments.before)?;
    let now = find_run(&store, &index, &arguments.now)?;
    let shown = ShownDifference {
        runs: [(before, store.run(before)?), (now, store.run(now)?)],
        difference: RunDifference::between(&store, before, now)?,
    };
    show::print(&if arguments.json {
        show::diff::json(&shown)
    } else {
        show::diff::text(&shown)
    })?;
    Ok(if shown.difference.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn find_run(store: &Store, index: &Index, name: &str) -> Result<RunHash, AuditError> {
    match Subject::find(store, index, name)? {
        Subject::Run(run) => Ok(run),
        other => Err(AuditError::NotARun {
            name: name.to_owned(),
            what: other.what(),
        }),
    }
}
