//! What decides a plan: the pipeline file, what is changed in it, and how its stages compute.
//! `run`, `status` and `why` plan alike, so that they speak of the same actions.

use std::path::PathBuf;

use assay_engine::{Device, LockMode, Request, Settings, TrustPolicy};
use clap::Args;

use super::search::{SearchArguments, TrustArguments};
use super::{Places, processors};

#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    /// The pipeline file (TOML)
    pub(crate) file: PathBuf,

    /// Override a value: NAME.KEY=VALUE, where NAME is a stage, or `method.M`, `network.N`
    #[arg(long = "set", value_name = "NAME.KEY=VALUE")]
    pub(crate) overrides: Vec<String>,

    /// Threads of one stage; part of its identity, since they can change the last bits
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: u32,

    /// Where to train: cpu or cuda
    #[arg(long, default_value_t = Device::Cpu)]
    pub(crate) device: Device,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,

    #[command(flatten)]
    pub(crate) places: Places,
}

impl PlanArguments {
    pub(crate) fn settings(&self, jobs: Option<u32>, keep_going: bool) -> Settings {
        let spare = processors() / self.threads as usize;
        let jobs = jobs.map_or(spare, |jobs| jobs as usize);
        Settings {
            jobs: jobs.max(1),
            threads: self.threads,
            device: self.device,
            keep_going,
            data_dir: self.places.data_dir.clone(),
        }
    }

    pub(crate) fn request<'a>(
        &'a self,
        only: &'a [String],
        trust: &'a TrustPolicy,
        lock: LockMode,
    ) -> Request<'a> {
        Request {
            file: &self.file,
            overrides: &self.overrides,
            only,
            search: self.search.path(),
            trust,
            lock,
        }
    }
}
