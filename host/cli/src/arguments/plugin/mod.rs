//! What can be typed after `pipeline plugin`.

mod directions;

use clap::Subcommand;

pub(crate) use self::directions::DirectionsArguments;
use super::SearchArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Print or write the update directions of one batch, to check them against your own equations.
    Directions(DirectionsArguments),
}
