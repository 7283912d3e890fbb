//! `pipeline exec`: one action, as a supervised job or as the worker of one.

use std::process::ExitCode;

use assay_engine::{Cancel, EngineError, Execution, WorkerArguments, run_worker};

use crate::arguments::ExecArguments;
use crate::error::CliError;
use crate::show;

/// Does the work of a worker, if that is what was asked for.
pub(crate) fn work(arguments: &ExecArguments) -> Option<ExitCode> {
    let scratch = arguments.scratch.as_ref()?;
    Some(run_worker(&WorkerArguments {
        key: arguments.key,
        store: arguments.places.store.path.clone(),
        scratch: scratch.clone(),
        data_dir: arguments.places.data_dir.clone(),
        threads: arguments.threads(),
        limits: arguments.limits(),
    }))
}

pub(crate) fn exec(arguments: &ExecArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    show::print_containment_notice();
    let store = arguments.places.store.open_existing()?;
    if let Some(plugin) = store.action(arguments.key)?.plugin {
        let trust = arguments.trust.policy()?;
        trust.admit_action(&plugin).map_err(EngineError::from)?;
    }
    let execution = Execution {
        store: &store,
        data_dir: arguments.places.data_dir.as_deref(),
        threads: arguments.threads(),
        limits: arguments.limits(),
        cancel,
        observe: &|_| {},
    };
    let completed = execution.execute(arguments.key).map_err(CliError::Action)?;
    show::print(&format!("{}\n", completed.result.artifact))?;
    Ok(ExitCode::SUCCESS)
}
