//! Creation of the learner of an algorithm.

use std::collections::BTreeMap;

use assay_abi::{Cost, ErrorCode};
use assay_network::{Network, Refusal};
use serde_json::{Map, Value};
use tch::Device;

use super::inverse_group::InverseGroup;
use super::{Declared, Expected, Trainer};
use crate::algorithm::{Algorithm, AnyAlgorithm};
use crate::configuration::Configuration;
use crate::error::{Error, Made};
use crate::hyperparameters;
use crate::maps::InverseTraining;
use crate::model::Model;
use crate::noise::DrawStream;
use crate::optimiser::{Optimiser, OptimiserState};
use crate::setup::Setup;
use crate::state::State;

/// An algorithm that is to be made, with its hyper-parameters.
struct Wanted<'a> {
    declared: Declared,
    refusals: Vec<Refusal>,
    hyperparameters: Map<String, Value>,
    optimiser: Optimiser,
    inverse_training: Option<InverseTraining>,
    updates: u32,
    make: &'a dyn Fn(&mut Setup<'_>) -> Made<dyn AnyAlgorithm>,
}

impl Trainer {
    /// The learner of `A` for `network`.
    ///
    /// # Errors
    /// A network that it refuses, or whatever keeps it from being made.
    pub(crate) fn of<A: Algorithm>(
        network: &Network,
        config: &A::Config,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let wanted = Wanted {
            declared: Declared {
                name: A::NAME,
                metrics: A::METRICS,
                has_inverse_loss: A::HAS_INVERSE_LOSS,
                is_replayable: A::REPLAYABLE,
            },
            refusals: A::refusals(),
            hyperparameters: hyperparameters::values(config)?,
            optimiser: config.optimiser(),
            inverse_training: config.inverse_training(),
            updates: config.updates_per_batch().max(1),
            make: &|setup| Ok(Box::new(A::new(setup, config)?)),
        };
        Self::new(network, wanted, seed, device)
    }

    fn new(
        network: &Network,
        wanted: Wanted<'_>,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let _no_grad = tch::no_grad_guard();
        let name = wanted.declared.name;
        refuse(
            name,
            wanted.refusals,
            network,
            &wanted.hyperparameters,
            &wanted.optimiser,
        )?;
        let model = Model::new(network, seed, device)?;
        let optimiser = OptimiserState::new(&wanted.optimiser, model.parameters())?;
        let mut setup = Setup::new(name, &model, seed);
        let algorithm = (wanted.make)(&mut setup)?;
        let made = setup.finish();
        let training = wanted.inverse_training;
        let inverses = InverseGroup::new(training, made.separate, seed, device)?;
        let draws = DrawStream::new(seed, made.draws);
        let of_inverses = inverses.as_ref().map(InverseGroup::state).transpose()?;
        let mut of_companions = Vec::new();
        for group in &made.companions {
            of_companions.extend(group.state()?);
        }
        let state = State::new(
            (model.parameters().named_values()?.into_iter())
                .chain(made.fixed)
                .chain(optimiser.state("forward", model.parameters())?)
                .chain(of_companions)
                .chain(of_inverses.into_iter().flatten())
                .chain(draws.iter().flat_map(DrawStream::state)),
        );
        Ok(Self {
            algorithm,
            declared: wanted.declared,
            model,
            expected: Expected::of(network),
            optimiser,
            companions: made.companions,
            inverses,
            draws,
            updates: wanted.updates,
            state,
            training: None,
            other: None,
            waiting: Vec::new(),
            counts: None,
            repeated: Vec::new(),
            inference: None,
            splits: BTreeMap::new(),
            order: None,
            cost: Cost::default(),
        })
    }
}

/// Refuses a network that `algorithm` declares it cannot train with the hyper-parameters that are `given`, and
/// factors of its optimiser that are not one for each layer.
pub(crate) fn refuse(
    algorithm: &str,
    refusals: Vec<Refusal>,
    network: &Network,
    given: &Map<String, Value>,
    optimiser: &Optimiser,
) -> Result<(), Error> {
    match refusals.into_iter().find(|it| it.applies(network, given)) {
        None => optimiser.check_factors(network.layers().len()),
        Some(Refusal { reason, .. }) => {
            let message = format!("{algorithm} cannot train this network: {reason}");
            Err(Error::new(ErrorCode::UNSUPPORTED, message))
        }
    }
}
