//! What can be typed after `pipeline plugin`.

mod check;
mod directions;
mod new;

use clap::Subcommand;

pub(crate) use self::check::CheckArguments;
pub(crate) use self::directions::DirectionsArguments;
pub(crate) use self::new::NewArguments;
use super::SearchArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Check that a plugin keeps the promises of the boundary, each in a process of its own.
    Check(CheckArguments),
    /// Print or write the update directions of one batch, to check them against your own equations.
    Directions(DirectionsArguments),
    /// Write the crate of a new plugin, with a small working rule to start from.
    New(NewArguments),
}
