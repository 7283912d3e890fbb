//! The SDK for authors of Assay plugins.
//!
//! An author implements [`Algorithm`]: how the update directions of one batch follow from its
//! forward pass. The SDK owns everything that every algorithm shares (weights and their initial
//! bits, the forward pass, the loss, Adam, saved states, the boundary), so that a comparison
//! compares algorithms. It never draws batches, evaluates a network or writes a file: the host
//! does.
//!
//! # Conventions
//! Notation is that of `docs/methods.md`: layers l = 1..L, `h_0 = x`, `a_l = W_l h_{l-1} + b_l`,
//! `h_l = φ(a_l)`, φ being tanh, or what the network says of the layer ([`Layer::forward_activated`],
//! [`Pass::derivative`]); `h_L` is the softmax of `a_L` where the network classifies, and tanh where it
//! reconstructs its input. The loss follows from that, and an algorithm need not know which it is.
//! Activations are **batch-innermost**: `h_l` is a tensor of shape (`n_l`, B), so the formulas
//! are literal and `δ_l h_{l-1}ᵀ` is the gradient of `W_l`. The units of an image lie as (row,
//! column, channel); saved states keep the order (channel, row, column) throughout. No gradient
//! is ever recorded by libtorch.
//!
//! An algorithm may also train maps beside the network: with it, in the same steps
//! ([`Setup::trained`]: learned feedback, local classifiers), or in steps of their own with a
//! [`Schedule`] and noise ([`Setup::inverses`], [`Setup::separately_trained`]). It may run the
//! network again on other inputs ([`Pass::trace`]) and draw random numbers ([`Setup::draw`]).
//! An algorithm of target propagation is a [`TargetRule`], of which [`TargetPropagation`] makes an
//! [`Algorithm`]. A rule without any use for a network's layers is a [`Rule`], of which [`Standalone`] makes
//! what a plugin exports. On a CPU the same seed gives the same bits, with any number
//! of threads and any instruction set, as long as a rule keeps to this SDK ([`Algorithm::PORTABLE`]).
//!
//! # Example
//! A plugin that trains the last layer only:
//! ```no_run
//! use assay_sdk::{Adam, Algorithm, Directions, Error, Pass, Setup};
//!
//! struct Readout;
//!
//! impl Algorithm for Readout {
//!     type Config = Adam;
//!     const NAME: &'static str = "readout";
//!     const SUMMARY: &'static str = "Trains the last layer and leaves the others as they are.";
//!     const REFERENCE: &'static str = "an example";
//!
//!     fn new(_setup: &mut Setup<'_>, _config: &Adam) -> Result<Self, Error> {
//!         Ok(Self)
//!     }
//!
//!     fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
//!         for l in 1..pass.depth() {
//!             out.none(l)?;
//!         }
//!         out.gradient(pass.depth(), pass.output_delta())
//!     }
//! }
//!
//! assay_sdk::export_plugin!(
//!     name = "readout",
//!     description = "An example.",
//!     algorithms = [Readout],
//! );
//! ```

mod activations;
mod algorithm;
mod arithmetic;
mod backpropagation;
mod card;
mod configuration;
mod cost;
mod determinism;
mod device;
mod error;
mod export;
mod exported;
mod function;
mod hyperparameters;
mod inference;
mod instructions;
mod layer;
mod layers;
mod layout;
mod learner;
mod loss;
mod maps;
mod model;
mod noise;
mod operand;
mod optimiser;
mod parameters;
mod pass;
mod placed;
mod product;
mod rng;
mod rule;
mod samples;
mod setup;
mod state;
mod sums;
mod targets;
mod temporary;
mod tensor_slices;
mod trace;
mod trial;
mod value;
mod workers;

pub use algorithm::Algorithm;
pub use arithmetic::{add, clear, copy, divide, logistic, multiply, root, scale, subtract, tanh};
pub use assay_abi as abi;
pub use assay_network as network;
pub use configuration::{Configuration, FeedbackSettings, RandomFeedbackSettings};
pub use error::Error;
pub use export::LIBTORCH_VERSION;
#[doc(hidden)]
pub use export::{create, create_backpropagation, info, unknown_algorithm};
pub use exported::{Description, Exported};
pub use inference::Inference;
pub use layer::Layer;
pub use layers::Layers;
pub use maps::{Connection, InverseDirections, InverseTraining, Schedule, TrainedMap};
pub use model::Model;
pub use noise::{Distribution, Draw, Noise};
pub use optimiser::{Adam, Optimiser, OptimiserKind, OptimiserSettings};
pub use pass::{Directions, Pass};
pub use rule::{Declarations, Examples, First, Moves, NewTensor, Rule, Standalone, Trained};
// The derives of a configuration write paths to these, which must be the SDK's own versions.
pub use schemars;
pub use serde;
pub use setup::Setup;
pub use sums::{dot, dot_over_units, mean, mean_over_units};
pub use targets::{
    AuxiliaryActivation, DescentSettings, InverseAdam, InverseLoss, InverseSettings, LogitTargets,
    Target, TargetConfiguration, TargetPropagation, TargetRule, TargetSettings, TopTarget,
    refusal_of_normalised,
};
pub use tch::{Device, Kind, Tensor};
pub use temporary::Temporary;
pub use trace::Trace;
pub use trial::{Tensors, Trial};
