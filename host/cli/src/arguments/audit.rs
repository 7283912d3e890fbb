//! What can be typed after `pipeline audit`.

use clap::Args;

use super::StoreArguments;

const EXAMPLES: &str = "\
Examples:
  pipeline audit                     everything that a run or a result names
  pipeline audit --all               and every object that nothing names
  pipeline audit quickstart          the latest run of a pipeline, and all that it rests on
  pipeline audit quickstart:report   a stage of it, and all that it rests on
  pipeline audit 3f9a72c1            whatever has a hash that begins so
  pipeline audit --fix               move what is damaged to STORE/quarantine

Exit codes: 0 intact, 1 damage found (also where --fix moved it), 2 something could not be read,
so that nothing is known of it.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditArguments {
    /// Runs, stages, artifacts, files or any other hash, each with all that it rests on [default:
    /// everything that a run or a result names]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Read every object in the store, also those that nothing names
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,

    /// Move what is damaged to STORE/quarantine, so that the next run makes it again; nothing is
    /// deleted
    #[arg(long)]
    pub(crate) fix: bool,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}
