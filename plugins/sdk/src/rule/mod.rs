//! Rules that are no [`Algorithm`](crate::Algorithm): whatever they train, they declare, move and score by
//! themselves, and have no use for the layers of a network.
//!
//! Schema, optimiser, saved states, draws, metrics, checks and the boundary stay the SDK's:
//! [`Standalone`] makes of a [`Rule`] what [`export_plugin`](crate::export_plugin) takes.

mod declare;
mod learner;

use std::collections::BTreeSet;
use std::marker::PhantomData;

use assay_abi::Learner;
use assay_network::{Network, Refusal};
use tch::{Device, Tensor};

use crate::configuration::Configuration;
use crate::error::Error;
use crate::exported::{Description, Exported};
use crate::learner::Recorded;
use crate::noise::{Draw, DrawSource};
use learner::RuleLearner;

pub use declare::{Declarations, First, NewTensor, Trained};

/// A way to learn that is not written as directions of a network's layers.
///
/// The network of a pipeline file tells such a rule its inputs and outputs, and as much more as the rule
/// makes use of ([`Declarations::network`]).
pub trait Rule: Sized + 'static {
    /// The hyper-parameters.
    type Config: Configuration;

    /// See [`Algorithm::NAME`](crate::Algorithm::NAME).
    const NAME: &'static str;
    /// See [`Algorithm::SUMMARY`](crate::Algorithm::SUMMARY).
    const SUMMARY: &'static str;
    /// See [`Algorithm::REFERENCE`](crate::Algorithm::REFERENCE).
    const REFERENCE: &'static str;
    /// See [`Algorithm::TRANSPORTS`](crate::Algorithm::TRANSPORTS).
    const TRANSPORTS: &'static str = "";
    /// See [`Algorithm::PORTABLE`](crate::Algorithm::PORTABLE).
    const PORTABLE: bool = false;
    /// See [`Algorithm::MINIMUM_ACCURACY`](crate::Algorithm::MINIMUM_ACCURACY).
    const MINIMUM_ACCURACY: Option<f64> = None;
    /// See [`Algorithm::METRICS`](crate::Algorithm::METRICS).
    const METRICS: &'static [(&'static str, &'static str)] = &[];

    /// See [`Algorithm::refusals`](crate::Algorithm::refusals).
    fn refusals() -> Vec<Refusal> {
        Vec::new()
    }

    /// Declares everything that the rule keeps: what it trains, what stays as it is, and its draws.
    fn declare(declare: &mut Declarations<'_>, config: &Self::Config) -> Result<Self, Error>;

    /// Writes the direction of everything trained for a batch; gives the batch's mean loss. Decides
    /// nothing by anything but its arguments and what it declared, so that it can be asked without being
    /// applied.
    fn step(&mut self, batch: &Examples<'_>, out: &mut Moves) -> Result<f64, Error>;

    /// Writes into `scores` (`n_L`, B) what is predicted for `inputs` (`n_0`, B): logits of the classes,
    /// or the values of a reconstruction. What a sample is given may not depend on the others.
    fn scores(&mut self, inputs: &Tensor, scores: &Tensor) -> Result<(), Error>;
}

/// A batch of B samples.
pub struct Examples<'a> {
    inputs: &'a Tensor,
    target: &'a Tensor,
    draws: DrawSource<'a>,
    update: u32,
}

impl<'a> Examples<'a> {
    /// The inputs, (`n_0`, B), in the order (channel, row, column).
    pub fn inputs(&self) -> &'a Tensor {
        self.inputs
    }

    /// The target of the prediction, (`n_L`, B): the one-hot labels as columns, or, for reconstruction, the
    /// inputs.
    pub fn target(&self) -> &'a Tensor {
        self.target
    }

    /// B.
    pub fn samples(&self) -> i64 {
        self.inputs.size().last().copied().unwrap_or(0)
    }

    /// The number of this update among those of the batch, from 1; see
    /// [`Configuration::updates_per_batch`].
    pub fn update(&self) -> u32 {
        self.update
    }

    /// Writes the numbers of `draw` for this update into `out`, of its shape.
    ///
    /// # Errors
    /// Another shape, or a draw that this rule did not declare.
    #[track_caller]
    pub fn draw(&self, draw: &Draw, out: &Tensor) -> Result<(), Error> {
        draw.write(self.draws, self.samples(), out)
    }
}

/// Takes the directions of one step: what is trained moves *against* them. Each is written in every
/// step.
pub struct Moves {
    /// The names of what was written.
    written: BTreeSet<String>,
    metrics: Recorded,
}

impl Moves {
    fn new(metrics: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            written: BTreeSet::new(),
            metrics: Recorded::new(metrics),
        }
    }

    /// Writes the direction of `trained`, of its shape.
    ///
    /// # Errors
    /// Another shape.
    #[track_caller]
    pub fn direction(&mut self, trained: &Trained, direction: &Tensor) -> Result<(), Error> {
        trained.write(direction)?;
        self.written.insert(trained.name().to_owned());
        Ok(())
    }

    /// Reports the step's value of one of [`Rule::METRICS`].
    ///
    /// # Errors
    /// A metric that the rule does not declare.
    #[track_caller]
    pub fn record(&mut self, metric: &str, value: f64) -> Result<(), Error> {
        self.metrics.record(metric, value)
    }
}

/// The form in which [`export_plugin`](crate::export_plugin) takes a [`Rule`].
pub struct Standalone<R>(PhantomData<R>);

impl<R: Rule> Exported for Standalone<R> {
    type Config = R::Config;

    const NAME: &'static str = R::NAME;
    const MINIMUM_ACCURACY: Option<f64> = R::MINIMUM_ACCURACY;

    fn description() -> Description {
        Description {
            name: R::NAME,
            summary: R::SUMMARY,
            reference: R::REFERENCE,
            transports: R::TRANSPORTS,
            is_portable: R::PORTABLE,
            metrics: R::METRICS,
            refusals: R::refusals(),
            has_inverse_loss: false,
        }
    }

    fn learner(
        network: &Network,
        config: &R::Config,
        seed: u64,
        device: Device,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(RuleLearner::<R>::new(
            network, config, seed, device,
        )?))
    }
}
