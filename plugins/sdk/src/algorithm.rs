//! The trait that an algorithm implements.

use crate::configuration::Configuration;
use crate::error::Error;
use crate::inverse::InverseDirections;
use crate::noise::Noise;
use crate::pass::{Directions, Pass};
use crate::setup::Setup;

/// A way to assign credit: how the update directions of a batch follow from its forward pass.
///
/// The SDK makes a complete learner of it: forward pass, loss, optimiser, metrics, saved states.
pub trait Algorithm: Sized + 'static {
    /// The hyper-parameters.
    type Config: Configuration;

    /// The name that a pipeline file uses.
    const NAME: &'static str;
    /// Description of the algorithm, in one sentence.
    const SUMMARY: &'static str;
    /// The publication.
    const REFERENCE: &'static str;

    /// The share of samples, 0 to 1, that it promises to get right on the small task of the
    /// conformance kit, with its default hyper-parameters. An algorithm without a promise is held to
    /// the kit's own floor.
    const MINIMUM_ACCURACY: Option<f64> = None;

    /// Makes the algorithm's own fixed tensors.
    fn new(setup: &mut Setup<'_>, config: &Self::Config) -> Result<Self, Error>;

    /// Writes the direction of every layer for the batch of `pass`. Decides nothing by anything
    /// but its arguments and its fixed tensors, so that it can be asked without being applied.
    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error>;

    /// Writes the direction of every inverse that [`Setup::inverses`] made. Called where the
    /// configuration says how inverses are trained, and bound by the same promise as
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
