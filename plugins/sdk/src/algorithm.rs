//! The trait that an algorithm implements.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::adam::Adam;
use crate::error::Error;
use crate::inverse::{InverseDirections, InverseTraining};
use crate::noise::Noise;
use crate::pass::{Directions, Pass};
use crate::setup::Setup;

/// A way to assign credit: how the update directions of a batch follow from its forward pass.
///
/// The SDK makes a complete learner of it: forward pass, loss, optimiser, metrics, saved states.
pub trait Algorithm: Sized + 'static {
    /// The hyper-parameters: a struct whose fields all have a default and a doc comment, which
    /// become the schema that the host checks pipeline files against. Unknown keys and values
    /// outside a field's `range` are refused before this type is made.
    type Config: Serialize + DeserializeOwned + JsonSchema + Default;

    /// The name that a pipeline file uses.
    const NAME: &'static str;
    /// What it is, in one sentence.
    const SUMMARY: &'static str;
    /// Where it was published.
    const REFERENCE: &'static str;

    /// Makes the algorithm's own fixed tensors.
    fn new(setup: &mut Setup<'_>, config: &Self::Config) -> Result<Self, Error>;

    /// The optimiser of the network's weights and biases.
    fn optimiser(config: &Self::Config) -> Adam;

    /// How the inverses are trained; `None` for an algorithm without any.
    fn inverse_training(_config: &Self::Config) -> Option<InverseTraining> {
        None
    }

    /// Writes the direction of every layer for the batch of `pass`. Decides nothing by anything
    /// but its arguments and its fixed tensors, so that it can be asked without being applied.
    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error>;

    /// Writes the direction of every inverse that [`Setup::inverses`] made. Called for algorithms
    /// with an [`Algorithm::inverse_training`] only, and bound by the same promise as
    /// [`Algorithm::directions`].
    fn inverse_directions(
        &mut self,
        _pass: &Pass<'_>,
        _noise: &Noise<'_>,
        _out: &mut InverseDirections,
    ) -> Result<(), Error> {
        Ok(())
    }
}
