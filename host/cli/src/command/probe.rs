//! `pipeline probe`: what another process of this program wants to know, and would not ask itself.

use std::process::ExitCode;

use assay_engine::{ProbeQuestion, answer_probe};

use crate::arguments::ProbeVerb;

pub(crate) fn probe(question: &ProbeVerb) -> ExitCode {
    answer_probe(&match question {
        ProbeVerb::Driver => ProbeQuestion::Driver,
        ProbeVerb::Libraries { plugin } => ProbeQuestion::Libraries(plugin.clone()),
        ProbeVerb::Libtorch { plugin } => ProbeQuestion::Libtorch(plugin.clone()),
    })
}
