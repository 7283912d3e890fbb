//! The second group of trained parameters: the inverses, their optimiser and their noise.

use assay_abi::ErrorCode;
use tch::Device;

use crate::adam::{Finite, Optimiser};
use crate::error::Error;
use crate::inverse::{InverseTraining, Schedule};
use crate::layout::Canonical;
use crate::model::Model;
use crate::noise::{GivenNoise, NoiseStream};
use crate::parameters::Parameters;

/// Parameters, optimiser, noise and schedule of the inverses, for an algorithm that has some.
pub(super) struct InverseGroup {
    parameters: Parameters,
    optimiser: Optimiser,
    noise: NoiseStream,
    schedule: Schedule,
}

impl InverseGroup {
    /// The group of an algorithm that trains by `training` what it asked for in its set-up.
    ///
    /// # Errors
    /// Inverses without a training.
    pub(super) fn new(
        training: Option<InverseTraining>,
        parameters: Option<Parameters>,
        seed: u64,
        device: Device,
    ) -> Result<Option<Self>, Error> {
        let Some(training) = training else {
            return match parameters {
                None => Ok(None),
                Some(_) => Err(Error::new(
                    ErrorCode::OTHER,
                    "the algorithm made inverses, but does not say how to train them",
                )),
            };
        };
        let parameters = match parameters {
            Some(parameters) => parameters,
            None => Parameters::new(Vec::new(), seed, device)?,
        };
        Ok(Some(Self {
            optimiser: Optimiser::new(training.optimiser, &parameters)?,
            parameters,
            noise: NoiseStream::new(seed, training.sigma),
            schedule: training.schedule,
        }))
    }

    pub(super) fn schedule(&self) -> Schedule {
        self.schedule
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(super) fn noise(&self) -> &NoiseStream {
        &self.noise
    }

    /// Reads noise that a caller gives for a batch of `samples`.
    pub(super) fn given_noise(
        &self,
        model: &Model,
        bytes: &[u8],
        samples: i64,
    ) -> Result<GivenNoise, Error> {
        // The inverse of layer l reconstructs h_{l-1}, so its noise belongs to that activation.
        let layers = self.layers();
        let layers = layers.map(|l| (l - 1, model.layer(l).map().inputs()));
        GivenNoise::parse(bytes, layers, samples)
    }

    /// The layers that have an inverse.
    pub(super) fn layers(&self) -> impl Iterator<Item = usize> {
        let pairs = self.parameters.pairs().iter();
        pairs.map(|[weight, _]| weight.layer)
    }

    /// Moves the inverses against their directions; see [`Optimiser::step`].
    pub(super) fn step(&mut self) -> Result<Finite, Error> {
        let finite = self.optimiser.step(&mut self.parameters)?;
        self.noise.advance()?;
        Ok(finite)
    }

    /// Tensors of the saved state, by name.
    pub(super) fn state(&self) -> Result<Vec<(String, Canonical)>, Error> {
        let mut state = self.optimiser.state("inverse", &self.parameters)?;
        state.extend(self.noise.state());
        state.extend(self.parameters.named_values()?);
        Ok(state)
    }
}
