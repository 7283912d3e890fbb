//! `pipeline status`: which stages are up to date.

use std::process::ExitCode;

use assay_engine::{Cancel, LockMode, Reason, Session};
use assay_store::Store;

use crate::arguments::StatusArguments;
use crate::error::CliError;
use crate::show;

pub(crate) fn status(arguments: &StatusArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let plan = &arguments.plan;
    let trust = plan.trust.policy()?;
    let request = plan.request(&arguments.only, &trust, LockMode::Remark);
    let settings = plan.settings(None, true, cancel)?;
    let store = Store::open(&plan.places.store.path)?;
    let session = Session::open(store, settings, request, cancel)?;
    let previews = session.preview(cancel)?;
    show::print(&if arguments.json {
        show::json::preview(&previews)
    } else {
        show::preview::status(&previews)
    })?;
    let is_current = previews.iter().all(|stage| stage.reason == Reason::Cached);
    Ok(if is_current {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
