//! What can be typed after `pipeline ls`.

use clap::{Args, ValueEnum};

use super::StoreArguments;

const EXAMPLES: &str = "\
Examples:
  pipeline ls
  pipeline ls runs --pipeline quickstart --all
  pipeline ls artifacts --size
  pipeline ls objects --size --limit 10
  pipeline ls --json

The size of a run or an action is that of the files it gave; files that several gave count for each.

Exit codes: 0 listed, 2 the store cannot be read.";

/// What a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
    /// Executions of pipelines
    Runs,
    /// What stages did
    Actions,
    /// What stages gave
    Artifacts,
    /// Datasets that were prepared
    Datasets,
    /// Libraries of plugins
    Plugins,
    /// All bytes under their hashes
    Objects,
}

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LsArguments {
    /// What to list
    #[arg(value_enum, default_value_t = Listed::Runs)]
    pub(crate) what: Listed,

    /// Of the runs, only those of this pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,

    /// List what is largest first [default: what is newest]
    #[arg(long)]
    pub(crate) size: bool,

    /// The most that is listed
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "all")]
    pub(crate) limit: usize,

    /// List everything
    #[arg(long)]
    pub(crate) all: bool,

    /// Print one JSON document instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

impl LsArguments {
    /// The most that is listed.
    pub(crate) fn most(&self) -> usize {
        if self.all { usize::MAX } else { self.limit }
    }
}
