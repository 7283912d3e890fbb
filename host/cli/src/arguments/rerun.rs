//! What can be typed to have recorded actions executed again, as an audit does.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;

use assay_engine::{CardRequest, Sample};
use clap::Args;

use super::{MOST_JOBS, TrustArguments, processors};

/// What is executed again, and how.
#[derive(Args, Debug)]
#[group(id = "again", args = ["sample", "against"], multiple = true)]
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
    sample: Option<Sample>,

    /// Take somebody's bundle into a store of its own, execute there what it says was executed, and
    /// compare; --rerun=SAMPLE chooses how much of it. The store is thrown away, unless something
    /// differs
    #[arg(long, value_name = "BUNDLE", conflicts_with = "names")]
    pub(crate) against: Option<PathBuf>,

    /// Draw the sample from this seed; the same seed draws the same actions [default: a new one,
    /// which is printed]
    #[arg(long, value_name = "N", requires = "again")]
    seed: Option<u32>,

    /// Execute also what was executed in an environment that this machine has not; what comes out is
    /// compared, and not recorded
    #[arg(long, requires = "again")]
    pub(crate) anyway: bool,

    /// Actions to execute at a time; on cards, shared evenly among them [default: processors, and one at
    /// a time on each card]
    #[arg(long, short, value_name = "N", requires = "again",
          value_parser = clap::value_parser!(u32).range(1..=MOST_JOBS))]
    jobs: Option<u32>,

    /// The cards for actions that were executed on one: cuda, cuda:1, cuda:0,cuda:1 or cuda:all; where
    /// others compute is part of them [default: cuda]
    #[arg(long, value_name = "DEVICE", requires = "again")]
    pub(crate) device: Option<CardRequest>,

    /// A folder with datasets, tried before anything is downloaded
    #[arg(long, value_name = "DIR", env = "ASSAY_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,
}

impl RerunArguments {
    /// Whether anything is to be executed.
    pub(crate) fn is_asked(&self) -> bool {
        self.sample.is_some() || self.against.is_some()
    }

    /// How much is to be executed.
    pub(crate) fn sample(&self) -> Sample {
        self.sample.unwrap_or(Sample::Percent(100.0))
    }

    /// What the sample is drawn from.
    pub(crate) fn seed(&self) -> u64 {
        // The keys of a new hasher come from the system's source of random numbers.
        let random = || RandomState::new().build_hasher().finish() as u32;
        self.seed.unwrap_or_else(random).into()
    }

    /// Whether jobs are shared among cards, instead of one action at a time on each.
    pub(crate) fn shares_cards(&self) -> bool {
        self.jobs.is_some()
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs.map_or_else(processors, |jobs| jobs as usize)
    }
}
