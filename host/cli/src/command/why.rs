//! `pipeline why`: why stages are cached or not.

use std::process::ExitCode;

use assay_engine::{Cancel, LockMode, Session};
use assay_store::Store;

use crate::arguments::WhyArguments;
use crate::error::CliError;
use crate::show;

pub(crate) fn why(arguments: &WhyArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let plan = &arguments.plan;
    let trust = plan.trust.policy()?;
    let request = plan.request(&arguments.stages, &trust, LockMode::Remark);
    let settings = plan.settings(None, true, cancel)?;
    let store = Store::open(&plan.places.store.path)?;
    let session = Session::open(store, settings, request, cancel)?;
    let whys = session.why(&arguments.stages, cancel)?;
    show::print(&if arguments.json {
        show::why::json(&whys)
    } else {
        show::why::text(&whys)
    })?;
    Ok(ExitCode::SUCCESS)
}
