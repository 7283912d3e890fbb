//! What can be typed after `pipeline plugin`.

mod directions;
mod info;
mod list;

use clap::Subcommand;

pub(crate) use self::directions::DirectionsArguments;
pub(crate) use self::info::InfoArguments;
pub(crate) use self::list::ListArguments;
use super::{SearchArguments, TrustArguments};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Print or write the update directions of one batch, to check them against your own equations.
    Directions(DirectionsArguments),
    /// Show one plugin: what it is, its algorithms, their hyper-parameters and metrics.
    Info(InfoArguments),
    /// List the plugins that can be asked for by name, and those that are shadowed or unusable.
    List(ListArguments),
}
