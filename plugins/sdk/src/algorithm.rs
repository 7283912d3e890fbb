//! The trait that an algorithm implements.

use assay_network::Refusal;
use tch::Tensor;

use crate::configuration::Configuration;
use crate::error::Error;
use crate::inference::Inference;
use crate::maps::InverseDirections;
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
    /// The signal that layers are given beside their own activities, and its carrier, in a short phrase for
    /// tables: "the error, through fixed random weights". Empty where nothing is said.
    const TRANSPORTS: &'static str = "";

    /// True if, on a CPU, neither the number of threads nor the processor's instructions decide a bit of
    /// what it computes. A host then leaves both out of what a training is known by. All operations of this
    /// SDK keep that promise, and of libtorch's those that round each element once (sums, differences,
    /// products and quotients of elements, but for division by a number on a card); its sums over elements, its
    /// matrix products and its functions, roots among them, do not: use [`dot`](crate::dot), [`dot_over_units`](crate::dot_over_units),
    /// [`mean`](crate::mean), [`mean_over_units`](crate::mean_over_units),
    /// [`multiply`](crate::multiply), [`divide`](crate::divide), [`root`](crate::root), [`tanh`](crate::tanh) and
    /// [`logistic`](crate::logistic). The
    /// conformance kit compares. Where a user asks for it, it computes on a card too, with kernels of this SDK
    /// that keep the same promise.
    const PORTABLE: bool = false;

    /// True if its directions touch tensors with functions of this SDK alone ([`copy`](crate::copy), [`add`](crate::add),
    /// [`subtract`](crate::subtract), [`scale`](crate::scale), [`clear`](crate::clear), those named above, and those of
    /// layers, maps and passes), and with nothing of libtorch but views: narrowed and transposed tensors. On a card whose
    /// kernels are this SDK's a step is one launch then: what the functions are asked for waits until the step is known,
    /// and what libtorch did between would come before it. A step that asked for the same as the one before is launched again
    /// without calling the algorithm, since its directions follow from its arguments and tensors alone; it is asked again now and
    /// then, and refused by name if it asks for anything else. Check it on a card, or an emulated one, with the conformance
    /// kit, which compares with a processor.
    const REPLAYABLE: bool = false;

    /// The share of samples, 0 to 1, that it promises to get right on the small task of the
    /// conformance kit, with its default hyper-parameters. An algorithm without a promise is held to
    /// the kit's own floor.
    const MINIMUM_ACCURACY: Option<f64> = None;

    /// Names and descriptions, with units, of the metrics that it reports for every step of the
    /// network, by [`Directions::record`].
    const METRICS: &'static [(&'static str, &'static str)] = &[];

    /// Whether [`Algorithm::inverse_directions`] reports a loss ([`InverseDirections::add_loss`]).
    const HAS_INVERSE_LOSS: bool = true;

    /// Networks that it cannot train, each with the reason. A host refuses them before anything is
    /// trained, and the SDK where it is asked all the same.
    fn refusals() -> Vec<Refusal> {
        Vec::new()
    }

    /// Makes the algorithm's own tensors.
    fn new(setup: &mut Setup<'_>, config: &Self::Config) -> Result<Self, Error>;

    /// Writes the direction of every layer for the batch of `pass`. Decides nothing by anything
    /// but its arguments and its own tensors, so that it can be asked without being applied, and
    /// leaves the activations of the pass as they are.
    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error>;

    /// Overwrites `logits` (`n_L`, B), which hold `a_L` of the plain forward pass, where the network
    /// predicts in another way. What a sample is given may not depend on the others of its batch.
    fn predict(&mut self, _inference: &Inference<'_>, _logits: &Tensor) -> Result<(), Error> {
        Ok(())
    }

    /// Writes the direction of every map that [`Setup::inverses`] or
    /// [`Setup::separately_trained`] made. Called where the configuration says how those are
    /// trained, and bound by the same promise as [`Algorithm::directions`].
    fn inverse_directions(
        &mut self,
        _pass: &Pass<'_>,
        _noise: &Noise<'_>,
        _out: &mut InverseDirections,
    ) -> Result<(), Error> {
        Ok(())
    }
}

/// An [`Algorithm`] that was made, whichever it is: so the learner is compiled once, with this crate, instead of once
/// more in every plugin.
pub(crate) trait AnyAlgorithm {
    /// See [`Algorithm::directions`].
    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error>;

    /// See [`Algorithm::predict`].
    fn predict(&mut self, inference: &Inference<'_>, logits: &Tensor) -> Result<(), Error>;

    /// See [`Algorithm::inverse_directions`].
    fn inverse_directions(
        &mut self,
        pass: &Pass<'_>,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error>;
}

impl<A: Algorithm> AnyAlgorithm for A {
    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        Algorithm::directions(self, pass, out)
    }

    fn predict(&mut self, inference: &Inference<'_>, logits: &Tensor) -> Result<(), Error> {
        Algorithm::predict(self, inference, logits)
    }

    fn inverse_directions(
        &mut self,
        pass: &Pass<'_>,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error> {
        Algorithm::inverse_directions(self, pass, noise, out)
    }
}
