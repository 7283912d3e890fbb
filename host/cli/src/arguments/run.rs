//! What `pipeline run` takes.

use std::path::PathBuf;

use assay_engine::{Cancel, DeviceError, LockMode, Settings};
use clap::Args;

use super::MOST_JOBS;
use super::plan::PlanArguments;

const EXAMPLES: &str = "\
Examples:
  pipeline run pipelines/quickstart.toml
  pipeline run pipelines/quickstart.toml --dry-run
  pipeline run pipelines/quickstart.toml --set train.epochs=10 --jobs 4
  pipeline run pipelines/quickstart.toml --only train/bp
  pipeline run pipelines/mnist.toml --device cuda:all
  pipeline run pipelines/quickstart.toml --lock
  pipeline run pipelines/quickstart.toml --locked --trusted-only
  pipeline run pipelines/quickstart.toml --set method.bp.hyperparameters.learning_rate=0.001

Exit codes: 0 done (or, with --dry-run, planned), 1 a stage failed, 2 the pipeline or the store
cannot be used, or standard output takes no table (the run is recorded all the same), 130 stopped.

Ctrl-C stops within a second; where stages run, each ends its step first and keeps its checkpoint.
A second Ctrl-C stops at once.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) plan: PlanArguments,

    /// Run only these stages and what they need; `train/bp` stands for everything below it
    #[arg(long, value_name = "STAGE")]
    pub(crate) only: Vec<String>,

    /// Say what would run and why, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Stages to run at a time; on cards, shared evenly among them [default: processors / threads, and
    /// one at a time on each card]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_JOBS))]
    jobs: Option<u32>,

    /// After a failure, go on with the stages that do not depend on it
    #[arg(long, short)]
    pub(crate) keep_going: bool,

    #[command(flatten)]
    pub(crate) lock: LockArguments,

    /// Where to lay out reports [default: STORE/reports/PIPELINE]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the pipeline file's lock is to a run.
#[derive(Args, Debug)]
pub(crate) struct LockArguments {
    /// Write what the run uses to the lock beside the file: NAME.lock, for version control
    #[arg(long, conflicts_with = "locked")]
    pub(crate) lock: bool,

    /// Run nothing whose plugin or dataset is not as the lock has it
    #[arg(long)]
    locked: bool,
}

impl RunArguments {
    pub(crate) fn settings(&self, cancel: &Cancel) -> Result<Settings, DeviceError> {
        self.plan.settings(self.jobs, self.keep_going, cancel)
    }

    pub(crate) fn lock_mode(&self) -> LockMode {
        match (self.lock.lock, self.lock.locked) {
            (true, _) => LockMode::Write,
            (false, true) => LockMode::Enforce,
            (false, false) => LockMode::Remark,
        }
    }
}
