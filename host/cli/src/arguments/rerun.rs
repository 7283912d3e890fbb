//! What can be typed to have recorded actions executed again, as part of an audit.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;

use assay_engine::Sample;
use clap::Args;

use super::{StoreArguments, TrustArguments, processors};

const EXAMPLES: &str = "\
Examples:
  pipeline rerun quickstart --rerun
  pipeline rerun quickstart:train/bp/seed=1 --rerun
  pipeline rerun latest --rerun=5 --seed 42
  pipeline rerun latest --rerun=10% --data-dir ~/datasets --json

Exit codes: 0 the same came out of all, 1 other bytes came out of some, 2 some could not be executed
again or failed, 130 stopped by Ctrl-C.";

/// Executing again, by itself.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RerunVerbArguments {
    /// A run, a stage, an action or an artifact: HASH, PREFIX, PIPELINE, latest, RUN:STAGE
    #[arg(value_name = "NAME", default_value = "latest")]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) rerun: RerunArguments,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

/// What is executed again, and how.
#[derive(Args, Debug)]
pub(crate) struct RerunArguments {
    /// Execute actions again from their beginning and compare what comes out: all of them, a number
    /// such as 5, or a percentage such as 10%
    #[arg(
        long = "rerun",
        value_name = "SAMPLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "100%"
    )]
    pub(crate) sample: Option<Sample>,

    /// Draw the sample from this seed; the same seed draws the same actions [default: a new one,
    /// which is printed]
    #[arg(long, value_name = "N", requires = "sample")]
    seed: Option<u32>,

    /// Execute also what was executed in an environment that this machine has not; what comes out is
    /// compared, and not recorded
    #[arg(long, requires = "sample")]
    pub(crate) anyway: bool,

    /// Actions to execute at a time [default: processors]
    #[arg(long, short, value_name = "N", requires = "sample")]
    jobs: Option<usize>,

    /// A folder with datasets, tried before anything is downloaded
    #[arg(long, value_name = "DIR", env = "ASSAY_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,
}

impl RerunArguments {
    /// What the sample is drawn from.
    pub(crate) fn seed(&self) -> u64 {
        // The keys of a new hasher come from the system's source of random numbers.
        let random = || RandomState::new().build_hasher().finish() as u32;
        self.seed.unwrap_or_else(random).into()
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(processors).max(1)
    }
}
