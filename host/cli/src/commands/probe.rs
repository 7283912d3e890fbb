//! `pipeline probe`: what another process of this program wants to know, and would not ask itself.

use std::path::PathBuf;
use std::process::ExitCode;

use assay_engine::{ProbeQuestion, answer_probe};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ProbeVerb {
    /// Which cards the driver shows
    Driver,
    /// Which CUDA libraries a plugin would use
    Libraries { plugin: PathBuf },
    /// Which libtorch a plugin would use
    Libtorch { plugin: PathBuf },
}

pub(crate) fn probe(question: &ProbeVerb) -> ExitCode {
    answer_probe(&match question {
        ProbeVerb::Driver => ProbeQuestion::Driver,
        ProbeVerb::Libraries { plugin } => ProbeQuestion::Libraries(plugin.clone()),
        ProbeVerb::Libtorch { plugin } => ProbeQuestion::Libtorch(plugin.clone()),
    })
}
