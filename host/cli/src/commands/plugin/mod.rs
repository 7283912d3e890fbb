//! `pipeline plugin`: what can be asked of, or done with, one plugin.

mod check;
mod directions;
mod info;
mod install;
mod list;
mod new;
mod pack;
mod schema;
mod sign;
mod trust;

use std::process::ExitCode;

use assay_engine::Cancel;
use clap::Subcommand;

use crate::error::CliError;
use check::CheckArguments;
use directions::DirectionsArguments;
use info::InfoArguments;
use install::InstallArguments;
use list::ListArguments;
use new::NewArguments;
use pack::PackArguments;
use sign::{KeygenArguments, SignArguments, VerifyArguments};
use trust::{TrustVerbArguments, UntrustArguments};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Check that a plugin keeps the promises of the boundary, each in a process of its own.
    Check(CheckArguments),
    /// Print or write the update directions of one batch, to check them against your own equations.
    Directions(DirectionsArguments),
    /// Show one plugin: what it is, its algorithms, their hyper-parameters and metrics.
    Info(InfoArguments),
    /// Check a plugin's library or pack and copy it to where your own plugins are found by name.
    Install(InstallArguments),
    /// Make a key to sign plugins with.
    Keygen(KeygenArguments),
    /// List the plugins that can be asked for by name, and those that are shadowed or unusable.
    List(ListArguments),
    /// Write the crate of a new plugin, with a small working rule to start from.
    New(NewArguments),
    /// Write a plugin's library, its signature, description and licence to one file, for others to install.
    Pack(PackArguments),
    /// Sign a plugin's library, in minisign's format.
    Sign(SignArguments),
    /// Trust a plugin, or whatever a key signs; without arguments, show what you trust.
    Trust(TrustVerbArguments),
    /// Trust a plugin or a key no more.
    Untrust(UntrustArguments),
    /// Check the signature of a plugin's library.
    Verify(VerifyArguments),
}

pub(crate) fn run(verb: &PluginVerb, cancel: &Cancel) -> Result<ExitCode, CliError> {
    match verb {
        PluginVerb::Check(arguments) => check::check(arguments, cancel),
        PluginVerb::Directions(arguments) => directions::directions(arguments, cancel),
        PluginVerb::Info(arguments) => info::info(arguments, cancel),
        PluginVerb::Install(arguments) => install::install(arguments, cancel),
        PluginVerb::Keygen(arguments) => sign::keygen(arguments),
        PluginVerb::List(arguments) => list::list(arguments, cancel),
        PluginVerb::New(arguments) => new::new(arguments),
        PluginVerb::Pack(arguments) => pack::pack(arguments, cancel),
        PluginVerb::Sign(arguments) => sign::sign(arguments),
        PluginVerb::Trust(arguments) => trust::trust(arguments),
        PluginVerb::Untrust(arguments) => trust::untrust(arguments),
        PluginVerb::Verify(arguments) => sign::verify(arguments),
    }
}
