//! The maps that are trained in steps of their own: parameters, optimiser, noise and schedule.

use std::collections::BTreeSet;
use std::rc::Rc;

use assay_abi::ErrorCode;
use tch::Device;

use crate::card::Counter;
use crate::error::Error;
use crate::layout::{Canonical, Units};
use crate::maps::{InverseTraining, Schedule};
use crate::noise::{Extent, NoiseStream, noise_name};
use crate::optimiser::Finite;
use crate::parameters::{Group, Parameters};
use crate::setup::Separate;

/// The maps of an algorithm that trains some in steps of their own.
pub(super) struct InverseGroup {
    group: Group,
    /// For each map l of the `h_l` that it gives, with its units: its noise is for that activation.
    given: Vec<(usize, Units)>,
    noise: NoiseStream,
    training: InverseTraining,
}

impl InverseGroup {
    /// The group of an algorithm that trains by `training` what it asked for in its set-up.
    ///
    /// # Errors
    /// Maps without a training.
    pub(super) fn new(
        training: Option<InverseTraining>,
        separate: Option<Separate>,
        seed: u64,
        device: Device,
    ) -> Result<Option<Self>, Error> {
        let Some(training) = training else {
            return match separate {
                None => Ok(None),
                Some(Separate { group, .. }) => Err(Error::new(
                    ErrorCode::OTHER,
                    format!(
                        "the algorithm made `{group}` maps, but does not say how to train them"
                    ),
                )),
            };
        };
        let separate = match separate {
            Some(separate) => separate,
            None => Separate {
                group: "inverse",
                parameters: Parameters::new(Vec::new(), seed, device)?,
                given: Vec::new(),
            },
        };
        let Separate {
            group: name,
            parameters,
            given,
        } = separate;
        Ok(Some(Self {
            group: Group::new(name, parameters, &training.optimiser)?,
            given,
            noise: NoiseStream::new(seed, training.sigma),
            training,
        }))
    }

    pub(super) fn schedule(&self) -> Schedule {
        self.training.schedule
    }

    /// Steps before each step of the network.
    pub(super) fn steps(&self) -> u32 {
        self.training.steps
    }

    /// True for an epoch in which these maps alone are trained.
    pub(super) fn is_alone(&self, epoch: u32) -> bool {
        epoch <= self.training.epochs_alone
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.group.parameters
    }

    /// The names of the weights, one for each map.
    pub(super) fn maps(&self) -> impl Iterator<Item = &str> {
        self.group.maps()
    }

    /// The layers that the maps belong to, in order.
    pub(super) fn layers(&self) -> Vec<usize> {
        let parameters = self.group.parameters.tensors();
        let layers: BTreeSet<_> = parameters.map(|parameter| parameter.layer).collect();
        layers.into_iter().collect()
    }

    pub(super) fn noise(&self) -> &NoiseStream {
        &self.noise
    }

    /// The numbers of the state that steps advance.
    pub(super) fn counters(&self) -> impl Iterator<Item = &Rc<Counter>> {
        let of_optimiser = self.group.optimiser.counter();
        of_optimiser.into_iter().chain([self.noise.counter()])
    }

    /// The noise of one step, by the names under which a caller gives it.
    pub(super) fn needed_noise(&self) -> impl Iterator<Item = (String, Extent)> {
        let given = self.given.iter();
        given.map(|(l, units)| (noise_name(*l), Extent::Activation(*units)))
    }

    /// Moves the maps against their directions; see [`Group::step`].
    pub(super) fn step(&mut self) -> Result<Finite, Error> {
        let finite = self.group.step()?;
        self.noise.advance()?;
        Ok(finite)
    }

    /// Tensors of the saved state, by name.
    pub(super) fn state(&self) -> Result<Vec<(String, Canonical)>, Error> {
        let mut state = self.group.state()?;
        state.extend(self.noise.state());
        Ok(state)
    }
}
