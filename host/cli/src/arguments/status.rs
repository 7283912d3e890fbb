//! What `pipeline status` takes.

use clap::Args;

use super::plan::PlanArguments;

const EXAMPLES: &str = "\
Examples:
  pipeline status pipelines/quickstart.toml
  pipeline status pipelines/quickstart.toml --only train/bp
  pipeline status pipelines/mnist.toml && echo 'the table is up to date'

Nothing runs, but a plugin that this store has not seen is asked what it offers. `pipeline why`
says more of one stage.

Exit codes: 0 everything is up to date, 1 a stage would run, 2 the pipeline or the store cannot be
used.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,

    /// Look only at these stages and what they need
    #[arg(long, value_name = "STAGE")]
    pub(crate) only: Vec<String>,

    /// Print one JSON document instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
