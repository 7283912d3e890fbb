//! `pipeline plugin new`: writes the crate of a new plugin, to be built and changed.

use std::process::ExitCode;

use crate::arguments::NewArguments;
use crate::error::CliError;
use crate::scaffold::write;
use crate::show;

pub(super) fn new(arguments: &NewArguments) -> Result<ExitCode, CliError> {
    let files = arguments.scaffold()?.files()?;
    write(arguments.folder(), &files)?;
    show::print(&show::scaffold::text(arguments.folder(), &files))?;
    Ok(ExitCode::SUCCESS)
}
