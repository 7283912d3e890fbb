//! The one learner behind every algorithm: it implements the boundary's contract once.
//!
//! A batch becomes an update in three calls of `train_pass`. The host's batch source hands it over;
//! `compute` runs the forward pass and the loss ([`Workspace`]) and has the algorithm write its
//! directions into the parameters' gradient buffers; `step` has the optimiser move the parameters
//! against them.

mod checks;
mod divergence;
mod inverse_group;
mod report;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use assay_abi::{Batch, BatchSource, ErrorCode, Learner, MetricSink, PluginError, TensorView};
use assay_network::{Network, Task};
use tch::Device;

use crate::activations::Activations;
use crate::adam::{Finite, Optimiser};
use crate::algorithm::Algorithm;
use crate::arithmetic::is_finite;
use crate::configuration::Configuration;
use crate::error::{Error, panic_text};
use crate::function::Function;
use crate::inverse::{InverseDirections, Schedule};
use crate::model::Model;
use crate::noise::{Noise, Source};
use crate::pass::Workspace;
use crate::setup::Setup;
use crate::state::{State, to_safetensors};
use checks::{checked_labels, checked_samples};
use divergence::{diverged, output_name};
use inverse_group::InverseGroup;
use report::{Losses, Report};

pub(crate) use report::{BATCH_LOSS, INVERSE_LOSS};

/// A network trained by `A`.
pub(crate) struct Trainer<A> {
    algorithm: A,
    model: Model,
    optimiser: Optimiser,
    inverses: Option<InverseGroup>,
    state: State,
    training: Option<Workspace>,
    inference: Option<Activations>,
}

/// The groups of parameters that a step moves.
#[derive(Clone, Copy)]
struct Update {
    network: bool,
    inverses: bool,
}

impl<A: Algorithm> Trainer<A> {
    pub(crate) fn new(
        network: &Network,
        config: &A::Config,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let _no_grad = tch::no_grad_guard();
        let model = Model::new(network, seed, device)?;
        let optimiser = Optimiser::new(config.optimiser(), model.parameters())?;
        let mut setup = Setup::new(A::NAME, &model, seed);
        let algorithm = A::new(&mut setup, config)?;
        let (fixed, inverses) = setup.finish();
        let inverses = InverseGroup::new(config.inverse_training(), inverses, seed, device)?;
        let of_inverses = inverses.as_ref().map(InverseGroup::state).transpose()?;
        let state = State::new(
            (model.parameters().named_values()?.into_iter())
                .chain(fixed)
                .chain(optimiser.state("forward", model.parameters())?)
                .chain(of_inverses.into_iter().flatten()),
        );
        Ok(Self {
            algorithm,
            model,
            optimiser,
            inverses,
            state,
            training: None,
            inference: None,
        })
    }

    /// Trains one epoch: in one pass over its batches, or one for each group of parameters.
    fn train(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        report: &mut Report<'_, '_>,
    ) -> Result<(), Error> {
        let update = |network, inverses| Update { network, inverses };
        match self.inverses.as_ref().map(InverseGroup::schedule) {
            None => self.train_pass(epoch, update(true, false), batches, report)?,
            Some(Schedule::Parallel) => {
                self.train_pass(epoch, update(true, true), batches, report)?
            }
            Some(Schedule::Alternating) => {
                let first = self.train_pass(epoch, update(false, true), batches, report)?;
                let second = self.train_pass(epoch, update(true, false), batches, report)?;
                if first != second {
                    return Err(Error::new(
                        ErrorCode::HOST,
                        format!(
                            "the host served {first} batches of epoch {epoch} at first and \
                             {second} in a second pass"
                        ),
                    ));
                }
                second
            }
        };
        Ok(())
    }

    /// Trains on every batch up to the end of a pass; how many there were.
    fn train_pass(
        &mut self,
        epoch: u32,
        update: Update,
        batches: &mut BatchSource<'_>,
        report: &mut Report<'_, '_>,
    ) -> Result<u64, Error> {
        let mut step = 0_u64;
        while let Some(batch) = batches.next_batch()? {
            step += 1;
            let losses = self.compute(&batch, update, None)?;
            report.push(losses)?;
            if let Some((name, loss)) = losses.non_finite() {
                let what = format!("{name} became {loss} at step {step} of epoch {epoch}");
                return Err(diverged(&what, self.first_non_finite()?));
            }
            if self.step(update)? == Finite::No {
                let what = format!(
                    "a direction became infinite or not a number at step {step} of epoch {epoch}"
                );
                return Err(diverged(&what, self.non_finite_direction()?));
            }
        }
        match self.non_finite_parameter()? {
            None => Ok(step),
            name => Err(diverged(
                &format!(
                    "a parameter became infinite or not a number by step {step}, the last of epoch {epoch}"
                ),
                name.map(str::to_owned),
            )),
        }
    }

    /// Writes the directions of `batch` into the gradient buffers of the groups of `update`.
    /// The inverses' noise is `noise`, or else what comes next from their stream.
    fn compute(
        &mut self,
        batch: &Batch<'_>,
        update: Update,
        noise: Option<Source<'_>>,
    ) -> Result<Losses, Error> {
        let samples = checked_samples(&self.model, batch.inputs)?;
        let labels = checked_labels(&self.model, batch, samples)?;
        let workspace = match self.training.take() {
            Some(workspace) if workspace.samples() == samples => workspace,
            _ => Workspace::new(&self.model, samples)?,
        };
        let workspace = self.training.insert(workspace);
        let batch_loss = workspace.run(&self.model, batch.inputs.as_f32()?, labels)?;
        let (pass, mut out) = workspace.pass(&self.model);
        let mut losses = Losses::default();
        // Both groups' directions before either moves: they follow from the same parameters.
        if let Some(inverses) = self.inverses.as_ref().filter(|_| update.inverses) {
            let mut out = InverseDirections::default();
            let source = match noise {
                Some(given) => given,
                None => inverses.noise().next()?,
            };
            let noise = Noise::new(source, self.model.units(), samples);
            self.algorithm.inverse_directions(&pass, &noise, &mut out)?;
            if let Some(l) = out.left_out(inverses.layers()) {
                return Err(left_out::<A>(
                    &format!("the inverse of layer {l}"),
                    "`squared_error`",
                ));
            }
            losses.inverse = Some(out.loss());
        }
        if update.network {
            self.algorithm.directions(&pass, &mut out)?;
            if let Some(l) = out.left_out() {
                return Err(left_out::<A>(&format!("layer {l}"), "`gradient` or `none`"));
            }
            losses.batch = Some(batch_loss);
        }
        Ok(losses)
    }

    /// Moves the groups of `update` against their directions.
    fn step(&mut self, update: Update) -> Result<Finite, Error> {
        if let Some(inverses) = self.inverses.as_mut().filter(|_| update.inverses)
            && inverses.step()? == Finite::No
        {
            return Ok(Finite::No);
        }
        if update.network {
            return self.optimiser.step(self.model.parameters_mut());
        }
        Ok(Finite::Yes)
    }

    /// The directions of every parameter for `batch`, applied to none.
    fn all_directions(&mut self, batch: &Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, Error> {
        let samples = checked_samples(&self.model, batch.inputs)?;
        let given = match (&self.inverses, noise) {
            (_, []) => None,
            (Some(inverses), noise) => Some(inverses.given_noise(&self.model, noise, samples)?),
            (None, _) => {
                return Err(Error::new(
                    ErrorCode::UNSUPPORTED,
                    format!("{} uses no noise, so none can be given", A::NAME),
                ));
            }
        };
        let everything = Update {
            network: true,
            inverses: true,
        };
        self.compute(batch, everything, given.as_ref().map(Source::Given))?;
        let inverses = self.inverses.as_ref().map(InverseGroup::parameters);
        let mut gradients = self.model.parameters().named_gradients()?;
        if let Some(inverses) = inverses {
            gradients.extend(inverses.named_gradients()?);
        }
        to_safetensors(gradients.iter().map(|(name, gradient)| (*name, gradient)))
    }

    fn write_outputs(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), Error> {
        let samples = checked_samples(&self.model, inputs)?;
        let expected = samples as usize * self.model.outputs() as usize;
        if outputs.len() != expected {
            return Err(Error::new(
                ErrorCode::SHAPE,
                format!(
                    "the output buffer holds {} values, expected {expected} for {samples} samples",
                    outputs.len()
                ),
            ));
        }
        let activations = match self.inference.take() {
            Some(activations) if activations.samples() == samples => activations,
            _ => Activations::new(&self.model, samples)?,
        };
        let activations = self.inference.insert(activations);
        activations.run(&self.model, inputs.as_f32()?)?;
        if !is_finite(activations.output())? {
            let layer = activations.non_finite()?.map(output_name);
            let what = "an output of the network is infinite or not a number";
            return Err(diverged(what, layer));
        }
        let output = activations.output();
        if self.model.task() == Task::Reconstruction {
            Function::Tanh.apply_to(output)?;
        }
        let rows = self
            .model
            .output_units()
            .by_sample(output)?
            .f_contiguous()?
            .f_to_device(Device::Cpu)?;
        rows.f_copy_data(outputs, expected)?;
        Ok(())
    }
}

impl<A: Algorithm> Learner for Trainer<A> {
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        at_boundary(|| {
            let mut report = Report::new(metrics);
            let trained = self.train(epoch, batches, &mut report);
            // Also on the way out of a failure: the last losses tell how it came about.
            let reported = report.flush();
            trained?;
            reported
        })
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        at_boundary(|| self.write_outputs(inputs, outputs))
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        at_boundary(|| self.state.save())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        at_boundary(|| self.state.restore(state))
    }

    fn directions(&mut self, batch: Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        at_boundary(|| self.all_directions(&batch, noise))
    }
}

/// Runs what the host asks for: no gradient is recorded, and a panic that libtorch's bindings raise
/// goes on with one sentence of what libtorch said.
pub(crate) fn at_boundary<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, PluginError> {
    let _no_grad = tch::no_grad_guard();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => Ok(result?),
        Err(payload) => resume_unwind(match payload.downcast_ref::<String>() {
            Some(text) => Box::new(panic_text(text)),
            None => payload,
        }),
    }
}

/// The error of an algorithm that wrote no direction for `whose`, where it has to call `what`.
fn left_out<A: Algorithm>(whose: &str, what: &str) -> Error {
    let message = format!("{} wrote no direction for {whose}", A::NAME);
    let error = PluginError::new(ErrorCode::OTHER, message);
    let help = format!("the algorithm has to call {what} for every layer in every step");
    Error::Plugin(error.with_help(help))
}
