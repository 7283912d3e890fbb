//! `pipeline plugin`: what can be asked of, or done with, one plugin.

mod check;
mod directions;
mod info;
mod list;
mod new;
pub(crate) mod sign;
pub(crate) mod trust;

use std::process::ExitCode;

use assay_engine::Cancel;

use crate::arguments::PluginVerb;
use crate::error::CliError;

pub(crate) fn run(verb: &PluginVerb, cancel: &Cancel) -> Result<ExitCode, CliError> {
    match verb {
        PluginVerb::Check(arguments) => check::check(arguments, cancel),
        PluginVerb::Directions(arguments) => directions::directions(arguments, cancel),
        PluginVerb::Info(arguments) => info::info(arguments, cancel),
        PluginVerb::Keygen(arguments) => sign::keygen(arguments),
        PluginVerb::List(arguments) => list::list(arguments, cancel),
        PluginVerb::New(arguments) => new::new(arguments),
        PluginVerb::Sign(arguments) => sign::sign(arguments),
        PluginVerb::Trust(arguments) => trust::trust(arguments),
        PluginVerb::Untrust(arguments) => trust::untrust(arguments),
        PluginVerb::Verify(arguments) => sign::verify(arguments),
    }
}
