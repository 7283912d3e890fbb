//! `pipeline plugin`: what can be asked of, or done with, one plugin.

mod check;
mod directions;
mod new;

use std::process::ExitCode;

use crate::arguments::PluginVerb;
use crate::error::CliError;

pub(crate) fn run(verb: &PluginVerb) -> Result<ExitCode, CliError> {
    match verb {
        PluginVerb::Check(arguments) => check::check(arguments),
        PluginVerb::Directions(arguments) => directions::directions(arguments),
        PluginVerb::New(arguments) => new::new(arguments),
    }
}
