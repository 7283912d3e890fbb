//! A plugin for the tests of the checks: an algorithm that is right, and one for every way to be
//! wrong. It is written on the boundary alone, without the SDK and libtorch.
//!
//! What can be wrong with a library as a whole is chosen by the variable `ASSAY_BROKEN`:
//! `constructor` ends the process that loads it, `nameless` offers an algorithm without a name.

// The tests load it from outside; nothing is called from Rust.
#![allow(
    clippy::print_stdout,
    reason = "one algorithm here does what none should"
)]

mod adam;
mod defect;
mod learner;
mod perceptron;
mod settings;
mod state;

use assay_abi::{
    AlgorithmInfo, CreateRequest, ErrorCode, Handshake, Identity, LearnerHandle, MetricInfo,
    PluginDefinition, PluginError, RootHeader, root_header,
};

use crate::defect::{ALGORITHMS, Defect};
use crate::learner::Backpropagation;

struct Definition;

impl PluginDefinition for Definition {
    fn identity() -> Identity {
        Identity::new("broken", env!("CARGO_PKG_VERSION"), "Plugins for tests.")
    }

    fn algorithms() -> Result<Vec<AlgorithmInfo>, PluginError> {
        let nameless = is_chosen("nameless").then_some(("", Defect::None, "One without a name."));
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

fn is_chosen(defect: &str) -> bool {
    std::env::var_os("ASSAY_BROKEN").is_some_and(|chosen| chosen == defect)
}

extern "C" fn construct() {
    if is_chosen("constructor") {
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
static ASSAY_PLUGIN_V0: RootHeader = root_header::<Definition>();
