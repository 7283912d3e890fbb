//! What can be typed after `pipeline audit`.

use clap::Args;

use super::{RerunArguments, StoreArguments};

const EXAMPLES: &str = "\
Examples:
  pipeline audit                     everything that a run or a result names
  pipeline audit --all               and every object that nothing names
  pipeline audit quickstart          the latest run of a pipeline, and all that it rests on
  pipeline audit quickstart:report   a stage of it, and all that it rests on
  pipeline audit 3f9a72c1            whatever has a hash that begins so
  pipeline audit --fix               move what is damaged to STORE/quarantine
  pipeline audit quickstart --rerun  execute its actions again, and compare what comes out
  pipeline audit latest --rerun=5 --seed 42 --data-dir ~/datasets
  pipeline audit --against run.tar.zst --rerun=10%

Exit codes: 0 intact, 1 damage found (also where --fix moved it), 2 something could not be read,
so that nothing is known of it. With --rerun or --against: 0 the same came out of all, 1 other bytes
came out of some or the bundle is refused, 2 some could not be executed again or failed, 130 stopped
by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditArguments {
    /// Runs, stages, artifacts, files or any other hash, each with all that it rests on [default:
    /// everything that a run or a result names; with --rerun, the latest run]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Read every object in the store, also those that nothing names
    #[arg(long, conflicts_with_all = ["names", "again"])]
    pub(crate) all: bool,

    /// Move what is damaged to STORE/quarantine, so that the next run makes it again; nothing is
    /// deleted
    #[arg(long, conflicts_with = "again")]
    pub(crate) fix: bool,

    #[command(flatten)]
    pub(crate) rerun: RerunArguments,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}
