//! What can be typed after `pipeline plugin list`.

use std::path::PathBuf;

use clap::Args;

use super::{SearchArguments, TrustArguments};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin list
  pipeline plugin list --pipeline pipelines/mnist.toml
  pipeline plugin list --plugin-dir ~/rules/target/release --json

Trust: `own` comes with this program; `trusted` and `signed` are trusted by you, by hash or through a
key (see `pipeline plugin trust`); `untrusted` plugins run all the same, unless --trusted-only says
otherwise. No plugin is loaded into this program: a worker asks each for its version, once.

Exit codes: 0 listed, whatever is wrong with single plugins, 2 the search path cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArguments {
    /// Search the plugin folders of this pipeline file too
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) search: SearchArguments,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,

    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}
