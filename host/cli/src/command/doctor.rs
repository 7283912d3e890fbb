//! `pipeline doctor`: what this machine offers for training, and what is missing.

use std::process::ExitCode;

use assay_engine::{Cancel, Examination};

use crate::arguments::DoctorArguments;
use crate::error::{CliError, STOPPED};
use crate::show;

pub(crate) fn doctor(arguments: &DoctorArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let health = Examination {
        store: &arguments.store.path,
        search: &arguments.search.path(),
        trust: &arguments.trust.policy()?,
        cancel,
    }
    .examine();
    if cancel.is_requested() {
        return Ok(ExitCode::from(STOPPED));
    }
    show::print(&if arguments.json {
        show::doctor::json(&health)
    } else {
        show::doctor::text(&health)
    })?;
    Ok(if health.is_ready() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
