//! Everything that a plugin may offer: algorithms of the SDK's learner, and rules with one of their own.

use assay_abi::Learner;
use assay_network::{Network, Refusal};
use tch::Device;

use crate::algorithm::Algorithm;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::learner::Trainer;

/// An algorithm as [`export_plugin`](crate::export_plugin) takes it: any [`Algorithm`], or a
/// [`Rule`](crate::Rule) by [`Standalone`](crate::Standalone). Not to be implemented elsewhere.
pub trait Exported {
    /// The hyper-parameters.
    type Config: Configuration;

    /// See [`Algorithm::NAME`].
    const NAME: &'static str;
    /// See [`Algorithm::MINIMUM_ACCURACY`].
    const MINIMUM_ACCURACY: Option<f64>;

    /// Everything that a host is told of it.
    fn description() -> Description;

    /// A learner for `network`.
    ///
    /// # Errors
    /// A network that it refuses, or whatever keeps it from being made.
    fn learner(
        network: &Network,
        config: &Self::Config,
        seed: u64,
        device: Device,
    ) -> Result<Box<dyn Learner>, Error>;
}

/// Everything that a host is told of an algorithm, beside its hyper-parameters.
pub struct Description {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) transports: &'static str,
    pub(crate) is_portable: bool,
    pub(crate) metrics: &'static [(&'static str, &'static str)],
    pub(crate) refusals: Vec<Refusal>,
    /// True if it reports the loss of inverses.
    pub(crate) has_inverse_loss: bool,
}

impl<A: Algorithm> Exported for A {
    type Config = A::Config;

    const NAME: &'static str = A::NAME;
    const MINIMUM_ACCURACY: Option<f64> = A::MINIMUM_ACCURACY;

    fn description() -> Description {
        Description {
            name: A::NAME,
            summary: A::SUMMARY,
            reference: A::REFERENCE,
            transports: A::TRANSPORTS,
            is_portable: A::PORTABLE,
            metrics: A::METRICS,
            refusals: A::refusals(),
            has_inverse_loss: A::HAS_INVERSE_LOSS
                && A::Config::default().inverse_training().is_some(),
        }
    }

    fn learner(
        network: &Network,
        config: &A::Config,
        seed: u64,
        device: Device,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Trainer::of::<A>(network, config, seed, device)?))
    }
}
