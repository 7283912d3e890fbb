//! Arguments of `pipeline doctor`.

use clap::Args;

use super::{SearchArguments, StoreArguments, TrustArguments};

const EXAMPLES: &str = "\
Examples:
  pipeline doctor
  pipeline doctor --store /data/experiments --plugin-dir ~/rules/target/release
  pipeline doctor --json | jq '.cuda.cards'

Every plugin is loaded once, in a worker, and the NVIDIA driver is asked in a process of its own. The
store is looked at and not made.

Exit codes: 0 this machine can train on its processor, 1 it cannot, and it is said what to do, 130
stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) search: SearchArguments,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}
