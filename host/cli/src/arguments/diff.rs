//! What can be typed after `pipeline diff`.

use clap::Args;

use super::StoreArguments;

const EXAMPLES: &str = "\
Examples:
  pipeline diff quickstart latest
  pipeline diff 3f2a9c 81d0e7
  pipeline diff 3f2a9c 81d0e7 --json

Stages are matched by name, and what is left by kind and point of the matrix. Only what differs is
shown.

Exit codes: 0 the runs are the same, 1 they differ, 2 a run or the store cannot be used.";

/// Two runs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiffArguments {
    /// A run: HASH, PREFIX, PIPELINE (its latest run) or latest
    #[arg(value_name = "RUN")]
    pub(crate) before: String,

    /// The run that it is compared with
    #[arg(value_name = "RUN")]
    pub(crate) now: String,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}
