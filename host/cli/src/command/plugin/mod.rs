//! `pipeline plugin`: what can be asked of, or done with, one plugin.

mod directions;
mod info;
mod list;

use std::process::ExitCode;

use crate::arguments::PluginVerb;
use crate::error::CliError;

pub(crate) fn run(verb: &PluginVerb) -> Result<ExitCode, CliError> {
    match verb {
        PluginVerb::Directions(arguments) => directions::directions(arguments),
        PluginVerb::Info(arguments) => info::info(arguments),
        PluginVerb::List(arguments) => list::list(arguments),
    }
}
