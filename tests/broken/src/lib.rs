//! A plugin for the tests of the checks: an algorithm that is right, and one for every way to be
//! wrong. It is written on the boundary alone, without the SDK and libtorch.
//!
//! The defect of the library as a whole is a byte in it, for a test to change in a copy: with `C`
//! for the mark in [`WHOLE`] its constructor ends the process that loads it, with `N` it offers an
//! algorithm without a name.

// The tests load it from outside; nothing is called from Rust.
#![allow(
    clippy::print_stdout,
    reason = "one algorithm here does what none should"
)]

mod adam;
mod defect;
mod kept;
mod learner;
mod perceptron;
mod settings;
mod state;

use assay_abi::{
    AlgorithmInfo, AlgorithmMinimum, CreateRequest, ErrorCode, Handshake, Identity, LearnerHandle,
    MetricInfo, PluginDefinition, PluginError, RootHeader, root_header,
};

use crate::defect::{ALGORITHMS, Defect};
use crate::learner::Backpropagation;

/// The defect of the library as a whole; the last byte is the mark.
static WHOLE: [u8; 23] = *b"ASSAY-BROKEN-AS-A-WHOLE";

struct Definition;

impl PluginDefinition for Definition {
    const MINIMUMS: &'static [AlgorithmMinimum] = &[
        AlgorithmMinimum::new("promises-little", Some(0.3)),
        AlgorithmMinimum::new("promises-too-much", Some(0.99)),
    ];

    fn identity() -> Identity {
        Identity::new("broken", env!("CARGO_PKG_VERSION"), "Plugins for tests.")
    }

    fn algorithms() -> Result<Vec<AlgorithmInfo>, PluginError> {
        let nameless = is_marked(b'N').then_some(("", Defect::None, "One without a name."));
        let algorithms = ALGORITHMS.iter().chain(&nameless);
        Ok(algorithms
            .map(|(name, defect, summary)| info(name, *defect, summary))
            .collect())
    }

    fn create(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        let defect = Defect::of(request.algorithm.as_str());
        let defect = defect.ok_or_else(|| {
            let message = format!("there is no algorithm `{}`", request.algorithm);
            PluginError::new(ErrorCode::UNSUPPORTED, message)
        })?;
        let defect = match defect {
            // Of the learner beside it.
            Defect::BendsGradient | Defect::RenamesGradient => Defect::None,
            own => own,
        };
        Ok(LearnerHandle::new(Backpropagation::new(request, defect)?))
    }

    fn create_backpropagation(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        let defect = match Defect::of(request.algorithm.as_str()) {
            Some(Defect::BendsGradient) => Defect::ScalesDirections,
            Some(Defect::RenamesGradient) => Defect::RenamesGradient,
            _ => Defect::None,
        };
        Ok(LearnerHandle::new(Backpropagation::new(request, defect)?))
    }
}

fn info(name: &str, defect: Defect, summary: &str) -> AlgorithmInfo {
    AlgorithmInfo {
        name: name.into(),
        summary: summary.into(),
        reference: "tests".into(),
        hyperparameters: settings::schema(defect).to_string().into(),
        metrics: vec![MetricInfo {
            name: "batch_loss".into(),
            description: "mean task loss of a step's batch before its update".into(),
        }]
        .into(),
    }
}

fn is_marked(mark: u8) -> bool {
    // Read from the file rather than known to the compiler.
    std::hint::black_box(&WHOLE).last() == Some(&mark)
}

extern "C" fn construct() {
    if is_marked(b'C') {
        std::process::abort();
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;

#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".assay_handshake")]
static ASSAY_HANDSHAKE: Handshake = Handshake::current("");

#[used]
#[unsafe(no_mangle)]
static ASSAY_PLUGIN_V1: RootHeader = root_header::<Definition>();
