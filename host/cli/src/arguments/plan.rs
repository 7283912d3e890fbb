//! Arguments that decide a plan: the pipeline file, the overrides of its values, and how its stages
//! compute. `run`, `status` and `why` plan alike, so that they speak of the same actions.

use std::path::PathBuf;

use assay_core::ObjectHash;
use assay_engine::{
    Cancel, Device, DeviceError, DeviceRequest, LockMode, PerCard, Request, Settings, TrustPolicy,
};
use clap::Args;

use crate::arguments::compute::PORTABLE_HELP;
use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::arguments::{Places, processors};

#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    /// The pipeline file (TOML)
    pub(crate) file: PathBuf,

    /// Override a value: NAME.KEY=VALUE, where NAME is a stage, or `method.M`, `network.N`
    #[arg(long = "set", value_name = "NAME.KEY=VALUE")]
    pub(crate) overrides: Vec<String>,

    /// Override the values that this profile of the file lists, before those of --set
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Threads of one stage; part of its identity, since they can change the last bits
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: u32,

    /// Where to train: cpu, cuda (the first card), cuda:1, cuda:0,cuda:1 or cuda:all; on several cards
    /// of one kind stages are spread over them
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceRequest::Cpu)]
    pub(crate) device: DeviceRequest,

    #[arg(long, requires = "device", help = PORTABLE_HELP)]
    pub(crate) portable: bool,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,

    #[command(flatten)]
    pub(crate) places: Places,
}

impl PlanArguments {
    /// # Errors
    /// The device is not there.
    pub(crate) fn settings(
        &self,
        jobs: Option<u32>,
        keep_going: bool,
        cancel: &Cancel,
    ) -> Result<Settings, DeviceError> {
        let device = Device::open(&self.device, cancel)?;
        let cards = device.cards().map_or(1, |cards| cards.as_slice().len());
        let most = (processors() / self.threads as usize).max(cards);
        Ok(Settings {
            jobs: jobs.map_or(most, |jobs| jobs as usize).max(1),
            share_cards: jobs.is_some(),
            per_card: PerCard::Most(1),
            threads: self.threads,
            device,
            portable: self.portable,
            keep_going,
            data_dir: self.places.data_dir.clone(),
        })
    }

    /// The name of the folder with a pipeline's reports: that of the pipeline, and of what was overridden, so
    /// that other values do not replace the reports of the file's own: `mnist`, `mnist+small`,
    /// `mnist+small+set-3f9a72c1d0e4`.
    pub(crate) fn report_folder(&self, pipeline: &str) -> String {
        let mut name = pipeline.to_owned();
        if let Some(profile) = &self.profile {
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            let profile = if profile.chars().all(is_plain) {
                profile.clone()
            } else {
                ObjectHash::of(profile.as_bytes()).short()
            };
            name = format!("{name}+{profile}");
        }
        if !self.overrides.is_empty() {
            // No argument holds the separator, so that two lists never read alike.
            let overrides = ObjectHash::of(self.overrides.join("\0").as_bytes());
            name = format!("{name}+set-{}", overrides.short());
        }
        name
    }

    pub(crate) fn request<'a>(
        &'a self,
        only: &'a [String],
        trust: &'a TrustPolicy,
        lock: LockMode,
    ) -> Request<'a> {
        Request {
            file: &self.file,
            profile: self.profile.as_deref(),
            overrides: &self.overrides,
            only,
            search: self.search.path(),
            trust,
            lock,
        }
    }
}
