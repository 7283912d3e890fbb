//! Arguments of verbs that ask a plugin to compute, outside of any pipeline.

use assay_engine::{Cancel, Device, DeviceError, DeviceRequest, PerCard, Settings};
use clap::Args;

/// The help of `--portable`.
pub(crate) const PORTABLE_HELP: &str = "On cards, compute portable algorithms with the SDK's own kernels, which give \
    the bits of a processor: what comes out is the same action's result";

#[derive(Args, Debug)]
pub(crate) struct ComputeArguments {
    /// Threads of an operation; they can change the last bits
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,

    /// Where to compute: cpu, cuda (the first card) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceRequest::Cpu,
        value_parser = DeviceRequest::single)]
    device: DeviceRequest,
}

impl ComputeArguments {
    /// # Errors
    /// The device is not there.
    pub(crate) fn settings(
        &self,
        keep_going: bool,
        cancel: &Cancel,
    ) -> Result<Settings, DeviceError> {
        Ok(Settings {
            jobs: 1,
            share_cards: false,
            per_card: PerCard::Most(1),
            threads: self.threads,
            device: Device::open(&self.device, cancel)?,
            portable: false,
            keep_going,
            data_dir: None,
        })
    }
}
