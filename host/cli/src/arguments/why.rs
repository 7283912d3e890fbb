//! What `pipeline why` takes.

use clap::Args;

use super::plan::PlanArguments;

const EXAMPLES: &str = "\
Examples:
  pipeline why pipelines/quickstart.toml train/bp/seed=1
  pipeline why pipelines/quickstart.toml train/bp --set train.epochs=10
  pipeline why pipelines/quickstart.toml
  pipeline why pipelines/quickstart.toml report --json

A stage is compared with the nearest of the actions that it had in earlier runs of the pipeline; if
it had none, with the nearest of its kind in the store.

Exit codes: 0 explained, 2 the pipeline or the store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WhyArguments {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,

    /// The stages; `train/bp` stands for everything below it [default: all that would run]
    #[arg(value_name = "STAGE")]
    pub(crate) stages: Vec<String>,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}
