//! `pipeline exec`: one action, as a supervised job or as the worker of one.

use std::process::ExitCode;

use assay_engine::{EngineError, Execution, WorkerArguments, run_worker};

use super::cancel_on_signals;
use crate::arguments::ExecArguments;
use crate::error::CliError;
use crate::show;

pub(crate) fn exec(arguments: &ExecArguments) -> Result<ExitCode, CliError> {
    if let Some(scratch) = &arguments.scratch {
        return Ok(run_worker(&WorkerArguments {
            key: arguments.key,
            store: arguments.places.store.path.clone(),
            scratch: scratch.clone(),
            data_dir: arguments.places.data_dir.clone(),
            threads: arguments.threads(),
            limits: arguments.limits(),
        }));
    }
    show::print_containment_notice();
    let store = arguments.places.store.open_existing()?;
    if let Some(plugin) = store.action(arguments.key)?.plugin {
        let trust = arguments.trust.policy()?;
        trust.admit_action(&plugin).map_err(EngineError::from)?;
    }
    let cancel = cancel_on_signals()?;
    let execution = Execution {
        store: &store,
        data_dir: arguments.places.data_dir.as_deref(),
        threads: arguments.threads(),
        limits: arguments.limits(),
        cancel: &cancel,
        observe: &|_| {},
    };
    let completed = execution.execute(arguments.key).map_err(CliError::Action)?;
    show::print(&format!("{}\n", completed.result.artifact))?;
    Ok(ExitCode::SUCCESS)
}
