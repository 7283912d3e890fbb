//! What can be typed after `pipeline plugin`.

mod check;
mod directions;
mod info;
mod list;
mod new;
mod sign;
mod trust;

use clap::Subcommand;

pub(crate) use self::check::CheckArguments;
pub(crate) use self::directions::DirectionsArguments;
pub(crate) use self::info::InfoArguments;
pub(crate) use self::list::ListArguments;
pub(crate) use self::new::NewArguments;
pub(crate) use self::sign::{KeygenArguments, SignArguments, VerifyArguments};
pub(crate) use self::trust::{TrustVerbArguments, UntrustArguments};
use super::{SearchArguments, TrustArguments};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Check that a plugin keeps the promises of the boundary, each in a process of its own.
    Check(CheckArguments),
    /// Print or write the update directions of one batch, to check them against your own equations.
    Directions(DirectionsArguments),
    /// Show one plugin: what it is, its algorithms, their hyper-parameters and metrics.
    Info(InfoArguments),
    /// Make a key to sign plugins with.
    Keygen(KeygenArguments),
    /// List the plugins that can be asked for by name, and those that are shadowed or unusable.
    List(ListArguments),
    /// Write the crate of a new plugin, with a small working rule to start from.
    New(NewArguments),
    /// Sign a plugin's library, in minisign's format.
    Sign(SignArguments),
    /// Trust a plugin, or whatever a key signs; without arguments, show what you trust.
    Trust(TrustVerbArguments),
    /// Trust a plugin or a key no more.
    Untrust(UntrustArguments),
    /// Check the signature of a plugin's library.
    Verify(VerifyArguments),
}
