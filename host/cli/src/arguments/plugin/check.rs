//! What can be typed after `pipeline plugin check`.

use assay_engine::{
    CHECKS, Cancel, CheckRequest, Device, DeviceError, DeviceRequest, Settings, TrustPolicy,
};
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{SearchArguments, TrustArguments};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin check bp
  pipeline plugin check ./target/release/libassay_mine.so --algorithm mine
  pipeline plugin check dtp --only learns --only directions --seed 7
  pipeline plugin check ./libassay_mine.so --json > checks.json
  pipeline plugin check --list

Every check of every algorithm runs in a process of its own, so one that crashes or hangs fails and
the others are still made. docs/conformance.md says what each promises and how to read a failure.

Exit codes: 0 every check passed or does not apply, 1 some failed, 2 the plugin cannot be asked, 130
stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArguments {
    /// The plugin: NAME, PATH with a slash, NAME@HASH or PATH@HASH
    #[arg(required_unless_present = "list")]
    plugin: Option<String>,

    /// Check this algorithm of the plugin; may be given many times [default: all]
    #[arg(long = "algorithm", value_name = "NAME")]
    algorithms: Vec<String>,

    /// Make this check only; may be given many times
    #[arg(long, value_name = "CHECK", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(CHECKS.iter().map(|check| check.name)))]
    only: Vec<String>,

    /// Decides the learners, and the samples that they are given
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Seconds that one check may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    time_limit: u32,

    /// Print what every check promises, and make none
    #[arg(long, conflicts_with_all = ["plugin", "algorithms", "only"])]
    pub(crate) list: bool,

    /// Print one JSON document instead of a line for each check
    #[arg(long)]
    pub(crate) json: bool,

    /// Threads of an operation
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,

    /// Where to compute: cpu, cuda (the first card) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceRequest::Cpu,
        value_parser = DeviceRequest::single)]
    device: DeviceRequest,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,
}

impl CheckArguments {
    /// # Errors
    /// The device is not there.
    pub(crate) fn settings(&self, cancel: &Cancel) -> Result<Settings, DeviceError> {
        Ok(Settings {
            jobs: 1,
            share_cards: false,
            threads: self.threads,
            device: Device::open(&self.device, cancel)?,
            keep_going: true,
            data_dir: None,
        })
    }

    pub(crate) fn request<'a>(&'a self, trust: &'a TrustPolicy) -> CheckRequest<'a> {
        CheckRequest {
            plugin: self.plugin.as_deref().unwrap_or_default(),
            algorithms: &self.algorithms,
            search: self.search.path(),
            trust,
            only: &self.only,
            seed: self.seed,
            time_limit: self.time_limit,
        }
    }
}
