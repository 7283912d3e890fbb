//! `pipeline plugin check`: has every promise of the boundary checked, each in a worker, in a store
//! that is thrown away afterwards.

use std::cell::RefCell;
use std::process::ExitCode;

use assay_engine::{Cancel, Outcome, check_plugin};
use assay_files::TemporaryFolder;
use assay_store::Store;

use crate::arguments::CheckArguments;
use crate::error::CliError;
use crate::show;

pub(super) fn check(arguments: &CheckArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    if arguments.list {
        show::print(&if arguments.json {
            show::json::check_list()
        } else {
            show::check::list()
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let trust = arguments.trust.policy()?;
    let settings = arguments.settings(cancel)?;
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = Store::open(folder.path().join("store"))?;
    let printed = RefCell::new(Ok(()));
    let report = check_plugin(
        &store,
        &settings,
        &arguments.request(&trust),
        cancel,
        &|checked| {
            if !arguments.json && printed.borrow().is_ok() {
                *printed.borrow_mut() = show::print(&show::check::line(checked));
            }
        },
    )?;
    printed.into_inner()?;
    show::print(&if arguments.json {
        show::json::checks(&report)
    } else {
        show::check::summary(&report)
    })?;
    if report.stopped {
        return Err(CliError::Stopped);
    }
    Ok(ExitCode::from(u8::from(report.count(Outcome::Failed) > 0)))
}
