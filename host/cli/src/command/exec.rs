//! `pipeline exec`: one action, as a supervised job or as the worker of one.

use std::process::ExitCode;

use assay_engine::{
    Cancel, CardsWhenNeeded, EngineError, Execution, Obstacle, WorkerArguments, run_worker,
};

use crate::arguments::ExecArguments;
use crate::error::CliError;
use crate::show;

pub(crate) fn exec(arguments: &ExecArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
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
    let cards = CardsWhenNeeded::new(arguments.device.as_ref(), cancel)?;
    let store = arguments.places.store.open_existing()?;
    let action = store.action(arguments.key)?;
    if let Some(plugin) = &action.plugin {
        let trust = arguments.trust.policy()?;
        trust.admit_action(plugin).map_err(EngineError::from)?;
    }
    let unmet = cards.unmet(&store, &action)?;
    if !unmet.is_empty() {
        return Err(CliError::Environment(Obstacle::Environment(unmet)));
    }
    let card = cards.first_for(&action)?;
    let execution = Execution {
        store: &store,
        data_dir: arguments.places.data_dir.as_deref(),
        threads: arguments.threads(),
        limits: arguments.limits(),
        card: card.as_ref(),
        cancel,
        observe: &|_| {},
    };
    let completed = execution.execute(arguments.key).map_err(CliError::Action)?;
    show::print(&format!("{}\n", completed.result.artifact))?;
    Ok(ExitCode::SUCCESS)
}
