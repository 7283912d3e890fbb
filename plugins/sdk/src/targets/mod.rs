//! Target propagation (docs/methods.md, Algorithms): an algorithm says where its targets begin and
//! how each follows from the one above it. Everything else is the same for all of them and done
//! here: inverses and their own loss, and the local losses that move every layer towards its target.
//!
//! Hidden targets are constants: no gradient passes through any of them.

mod auxiliary;
mod buffers;
mod logits;
mod settings;
mod target;

use std::marker::PhantomData;

use assay_abi::{ErrorCode, PluginError};
use assay_network::{NetworkKind, Refusal};

pub use auxiliary::AuxiliaryActivation;
pub use logits::LogitTargets;
pub use settings::{
    DescentSettings, InverseAdam, InverseLoss, InverseSettings, TargetConfiguration, TargetSettings,
};
pub use target::Target;

use crate::algorithm::Algorithm;
use crate::arithmetic::scale;
use crate::error::Error;
use crate::maps::{InverseDirections, TrainedMap};
use crate::noise::Noise;
use crate::pass::{Directions, Pass};
use crate::setup::Setup;
use auxiliary::Auxiliary;
use buffers::Buffers;
use target::Targets;

/// Writes the directions of the local losses of the hidden layers, whose targets are known by `ĥ_l − h_l`
/// in the scratch buffers: layer l minimises `‖f_l(h_{l-1}) − ĥ_l‖²`, whose gradient by `h_l` is 2/B (`h_l`
/// − `ĥ_l`).
fn hidden_losses(pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
    for l in 1..pass.depth() {
        let delta = pass.scratch(l); // ĥ_l − h_l
        let factor = -2.0 / pass.samples() as f64;
        scale(delta, factor)?;
        pass.derivative(l, delta)?;
        out.gradient(l, delta)?;
    }
    Ok(())
}

/// The refusal of networks with normalised layers, for rules whose inverses give the activities below.
pub fn refusal_of_normalised() -> Refusal {
    let reason = "its inverses give the activities of a layer unit by unit, which `norm` ties to one \
                  another; leave `norm` out";
    Refusal::of(NetworkKind::Normalised, reason)
}

/// A rule of target propagation; [`TargetPropagation`] makes an [`Algorithm`] of it.
pub trait TargetRule: Sized + 'static {
    /// The hyper-parameters.
    type Config: TargetConfiguration;

    /// See [`Algorithm::NAME`].
    const NAME: &'static str;
    /// See [`Algorithm::SUMMARY`].
    const SUMMARY: &'static str;
    /// See [`Algorithm::REFERENCE`].
    const REFERENCE: &'static str;
    /// See [`Algorithm::TRANSPORTS`].
    const TRANSPORTS: &'static str = "";
    /// See [`Algorithm::PORTABLE`].
    const PORTABLE: bool = false;
    /// See [`Algorithm::MINIMUM_ACCURACY`].
    const MINIMUM_ACCURACY: Option<f64> = None;

    /// See [`Algorithm::refusals`].
    fn refusals() -> Vec<Refusal> {
        Vec::new()
    }

    /// The topmost target.
    fn top(config: &Self::Config) -> TopTarget;

    /// Sets the target of one layer below the topmost target, by one of the methods of `target`.
    /// Called for these layers from the top down.
    fn below(target: &Target<'_>) -> Result<(), Error>;
}

/// The topmost target of a network. Every layer between it and the first has an inverse, which
/// carries the target down.
#[derive(Clone, Copy, Debug)]
pub enum TopTarget {
    /// `ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}`, with the gradient of each sample's own task loss.
    Descent {
        /// α
        alpha: f64,
    },
    /// `ĥ_L` = what the task asks for: onehot, or x for reconstruction.
    Output,
    /// `[ĥ_L, z]` against `[h_L, z]`, with z = φ(A `h_{L-1}` + d), A and d fixed and random. The
    /// inverse of layer L takes z besides `h_L`.
    AuxiliaryOutput {
        /// The number of values of z; with none this is [`TopTarget::Output`].
        units: u32,
        /// φ
        activation: AuxiliaryActivation,
    },
}

impl TopTarget {
    /// The layer whose target it is, in a network of `depth` layers.
    fn layer(self, depth: usize) -> usize {
        match self {
            Self::Descent { .. } => depth - 1,
            Self::Output | Self::AuxiliaryOutput { .. } => depth,
        }
    }
}

/// The algorithm of a [`TargetRule`].
pub struct TargetPropagation<R> {
    top: TopTarget,
    auxiliary: Option<Auxiliary>,
    /// Of layers 2 to that of the topmost target.
    inverses: Vec<TrainedMap>,
    inverse_loss: InverseLoss,
    /// For the batch size of the last step.
    buffers: Option<Buffers>,
    rule: PhantomData<R>,
}

impl<R> TargetPropagation<R> {
    /// The targets of the batch of `pass`, none of them set yet.
    fn targets<'a>(&'a mut self, pass: &'a Pass<'a>) -> Result<Targets<'a>, Error> {
        let buffers = match self.buffers.take() {
            Some(buffers) if buffers.samples() == pass.samples() => buffers,
            _ => Buffers::new(pass, &self.inverses)?,
        };
        Ok(Targets {
            pass,
            inverses: &self.inverses,
            auxiliary: self.auxiliary.as_ref(),
            buffers: self.buffers.insert(buffers),
        })
    }
}

impl<R: TargetRule> Algorithm for TargetPropagation<R> {
    type Config = R::Config;

    const NAME: &'static str = R::NAME;
    const SUMMARY: &'static str = R::SUMMARY;
    const REFERENCE: &'static str = R::REFERENCE;
    const TRANSPORTS: &'static str = R::TRANSPORTS;
    const PORTABLE: bool = R::PORTABLE;
    const REPLAYABLE: bool = true;
    const MINIMUM_ACCURACY: Option<f64> = R::MINIMUM_ACCURACY;

    fn refusals() -> Vec<Refusal> {
        let mut refusals = R::refusals();
        refusals.push(refusal_of_normalised());
        refusals
    }

    fn new(setup: &mut Setup<'_>, config: &R::Config) -> Result<Self, Error> {
        let top = R::top(config);
        let auxiliary = match top {
            TopTarget::AuxiliaryOutput { units, activation } => {
                Some(Auxiliary::new(setup, units, activation)?)
            }
            TopTarget::Descent { .. } | TopTarget::Output => None,
        };
        let layers = 2..=top.layer(setup.model().depth());
        let auxiliary_units = auxiliary.as_ref().map_or(0, Auxiliary::units);
        Ok(Self {
            top,
            inverses: setup.inverses(layers, auxiliary_units)?,
            auxiliary,
            inverse_loss: config.targets().inverse.inverse_loss,
            buffers: None,
            rule: PhantomData,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let top = self.top;
        let targets = self.targets(pass)?;
        targets.set_top(top)?;
        for l in (1..top.layer(pass.depth())).rev() {
            let target = targets.target(l);
            R::below(&target)?;
            if !target.is_set() {
                let message = format!("{} set no target for layer {l}", R::NAME);
                let error = PluginError::new(ErrorCode::OTHER, message);
                let help = "`below` has to call a method of its target in every step";
                return Err(error.with_help(help).into());
            }
        }
        targets.local_losses(out)
    }

    fn inverse_directions(
        &mut self,
        pass: &Pass<'_>,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error> {
        let loss = self.inverse_loss;
        self.targets(pass)?.inverse_losses(loss, noise, out)
    }
}
