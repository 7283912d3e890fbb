//! The one learner behind every algorithm: it implements the boundary's contract once.
//!
//! A batch becomes an update in three calls of `train_pass`. The host's batch source hands it over;
//! `compute` runs the forward pass and the loss ([`Workspace`]) and has the algorithm write its
//! directions into the parameters' gradient buffers; `step` has the optimiser move the parameters
//! against them.

mod checks;
mod creation;
mod divergence;
mod inverse_group;
mod readings;
mod recorded;
mod repeated;
mod report;
mod waiting;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use assay_abi::{
    Batch, BatchSource, Cost, EpochOrder, ErrorCode, Learner, MetricSink, PlaceSource, Places,
    PluginError, StoredSplit, TensorView,
};
use assay_network::Task;
use tch::Device;

use crate::algorithm::AnyAlgorithm;
use crate::arithmetic::is_finite;
use crate::card::{self, Counts, KeptOrder, KeptSplit};
use crate::cost;
use crate::error::{Error, panic_text};
use crate::function::Function;
use crate::inference::Predictor;
use crate::maps::{InverseDirections, Schedule};
use crate::model::Model;
use crate::noise::{DrawSource, DrawStream, GivenNoise, Noise, Source};
use crate::optimiser::{Finite, OptimiserState};
use crate::parameters::{Group, Parameters};
use crate::pass::Workspace;
use crate::samples::{Batches, KeptBatches, LentBatches, Samples};
use crate::state::{State, to_safetensors};
use crate::value::Value;
use divergence::output_name;
use inverse_group::InverseGroup;
use readings::{Readings, Watch};
use repeated::Repeated;

pub(crate) use checks::{Expected, checked_labels, checked_samples};
pub(crate) use creation::refuse;
pub(crate) use divergence::{diverged, diverged_direction, diverged_metric, diverged_parameter};
pub(crate) use recorded::Recorded;
pub(crate) use report::{Measured, Report};

pub(crate) use report::{BATCH_LOSS, INVERSE_LOSS, LAYER_INVERSE_LOSS};

/// A network trained by an algorithm.
pub(crate) struct Trainer {
    algorithm: Box<dyn AnyAlgorithm>,
    declared: Declared,
    model: Model,
    expected: Expected,
    optimiser: OptimiserState,
    /// The maps that are trained with the network.
    companions: Vec<Group>,
    inverses: Option<InverseGroup>,
    draws: Option<DrawStream>,
    /// Updates of the network for every batch.
    updates: u32,
    state: State,
    training: Option<Buffers>,
    /// Those for batches of another size, on a card.
    other: Option<Buffers>,
    /// Steps on a card whose numbers nobody has read yet.
    waiting: Vec<(At, Readings)>,
    /// The numbers that a card counts from step to step.
    counts: Option<Rc<Counts>>,
    /// Steps that a card may repeat.
    repeated: Vec<Repeated>,
    inference: Option<Predictor>,
    /// The splits that it keeps on its card, by number.
    splits: BTreeMap<u32, Rc<KeptSplit>>,
    /// The order of the last epoch there, whose memory the next may take.
    order: Option<KeptOrder>,
    /// Of the steps since it was made.
    cost: Cost,
}

/// Buffers for batches of one size.
struct Buffers {
    workspace: Workspace,
    /// The notes that a card makes on steps with them.
    watch: Option<Watch>,
}

/// A step of a training.
#[derive(Clone, Copy)]
struct At {
    step: u64,
    epoch: u32,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at step {} of epoch {}", self.step, self.epoch)
    }
}

/// The batches of a pass.
#[derive(Clone, Copy, Default)]
struct Served {
    batches: u64,
    samples: u64,
}

/// The groups of parameters that a step moves.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Update {
    network: bool,
    inverses: bool,
    /// The last step on its batch.
    is_last: bool,
}

/// An algorithm's declarations, as far as a training follows them.
#[derive(Clone, Copy)]
struct Declared {
    /// See [`Algorithm::NAME`](crate::Algorithm::NAME).
    name: &'static str,
    /// See [`Algorithm::METRICS`](crate::Algorithm::METRICS).
    metrics: &'static [(&'static str, &'static str)],
    /// See [`Algorithm::HAS_INVERSE_LOSS`](crate::Algorithm::HAS_INVERSE_LOSS).
    has_inverse_loss: bool,
    /// See [`Algorithm::REPLAYABLE`](crate::Algorithm::REPLAYABLE).
    is_replayable: bool,
}

impl Trainer {
    /// The parameters of the trained maps beside the network, group by group.
    fn maps(&self) -> impl Iterator<Item = &Parameters> {
        let inverses = self.inverses.as_ref().map(InverseGroup::parameters);
        let companions = self.companions.iter().map(|group| &group.parameters);
        inverses.into_iter().chain(companions)
    }

    /// The split that was lent under `number`.
    fn split(&self, number: u32) -> Result<Rc<KeptSplit>, Error> {
        let message = || format!("no split was lent under the number {number}");
        let split = self.splits.get(&number).cloned();
        split.ok_or_else(|| Error::new(ErrorCode::UNSUPPORTED, message()))
    }

    /// The order of an epoch on its card: in the memory of the one before, where it has room there, so that its steps are launched
    /// as those before it.
    fn order(&mut self, order: &EpochOrder<'_>) -> Result<KeptOrder, Error> {
        let split = self.split(order.split)?;
        if let Some(mut kept) = self.order.take()
            && kept.replace(&split, &order.samples, &order.crops)?
        {
            return Ok(kept);
        }
        self.repeated.clear();
        KeptOrder::new(split, &order.samples, &order.crops)
    }

    /// Trains one epoch, and reports its metrics.
    fn train_reporting(
        &mut self,
        epoch: u32,
        batches: &mut impl Batches,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), Error> {
        let inverses = self
            .inverses
            .as_ref()
            .filter(|_| self.declared.has_inverse_loss);
        let layers = inverses.map(InverseGroup::layers).unwrap_or_default();
        let mut report = Report::new(metrics, layers, self.declared.metrics);
        let trained = self.train(epoch, batches, &mut report);
        // A step that diverged comes before whatever ended the epoch later.
        let trained = self.settle(&mut report).and(trained);
        // Also on the way out of a failure: the last losses tell how it came about.
        let reported = report.flush();
        trained?;
        reported
    }

    /// Trains one epoch: in one pass over its batches, or one for each group of parameters.
    fn train(
        &mut self,
        epoch: u32,
        batches: &mut impl Batches,
        report: &mut Report<'_, '_>,
    ) -> Result<(), Error> {
        let update = |network, inverses| Update {
            network,
            inverses,
            is_last: true,
        };
        if self.inverses.as_ref().is_some_and(|it| it.is_alone(epoch)) {
            let served = self.train_pass(epoch, update(false, true), batches, report)?;
            self.cost.samples += served.samples;
            return Ok(());
        }
        let served = match self.inverses.as_ref().map(InverseGroup::schedule) {
            None => self.train_pass(epoch, update(true, false), batches, report)?,
            Some(Schedule::Parallel) => {
                self.train_pass(epoch, update(true, true), batches, report)?
            }
            Some(Schedule::Alternating) => {
                let first = self.train_pass(epoch, update(false, true), batches, report)?;
                let second = self.train_pass(epoch, update(true, false), batches, report)?;
                if first.batches != second.batches {
                    return Err(Error::new(
                        ErrorCode::HOST,
                        format!(
                            "the host served {} batches of epoch {epoch} at first and {} in a \
                             second pass",
                            first.batches, second.batches
                        ),
                    ));
                }
                second
            }
        };
        // Once, however many passes there were.
        self.cost.samples += served.samples;
        Ok(())
    }

    /// Trains on every batch up to the end of a pass; gives what there was.
    fn train_pass(
        &mut self,
        epoch: u32,
        update: Update,
        batches: &mut impl Batches,
        report: &mut Report<'_, '_>,
    ) -> Result<Served, Error> {
        let mut served = Served::default();
        self.begin_counting()?;
        while let Some(samples) = batches.next()? {
            served.batches += 1;
            served.samples += samples.count().unsigned_abs();
            let step = served.batches;
            let at = At { step, epoch };
            let before = match &self.inverses {
                Some(inverses) if update.inverses => inverses.steps().saturating_sub(1),
                _ => 0,
            };
            let alone = Update {
                network: false,
                inverses: true,
                is_last: false,
            };
            let counted = cost::counted();
            for _ in 0..before {
                self.train_step(samples, alone, at, report)?;
            }
            self.train_step(samples, update, at, report)?;
            self.cost.multiply_adds += cost::since(counted);
        }
        self.settle(report)?;
        match self.non_finite_parameter()? {
            None => Ok(served),
            Some(name) => Err(diverged_parameter(served.batches, epoch, name.to_owned())),
        }
    }

    /// One step of the groups of `update`, and what updates of the network the batch has beside its first;
    /// `at` tells which it is.
    fn train_step(
        &mut self,
        samples: Samples<'_>,
        update: Update,
        at: At,
        report: &mut Report<'_, '_>,
    ) -> Result<(), Error> {
        if let Some(card) = card::current() {
            return self.launch_step(&card, samples, update, at, report);
        }
        let mut measured = self.compute(samples, update, 1, None)?.read()?;
        let moved = self.apply(&measured, update, at);
        if moved.is_err() || !update.network {
            report.push(&measured)?;
            return moved;
        }
        let again = Update {
            network: true,
            inverses: false,
            is_last: true,
        };
        for number in 2..=self.updates {
            measured.own = self.compute(samples, again, number, None)?.own;
            let moved = self.apply(&measured, again, at);
            if moved.is_err() {
                report.push(&measured)?;
                return moved;
            }
        }
        report.push(&measured)
    }

    /// Moves the groups of `update`, if what was `measured` and their directions are finite.
    fn apply(&mut self, measured: &Measured, update: Update, at: At) -> Result<(), Error> {
        if let Some(metric) = measured.non_finite(self.declared.metrics) {
            return Err(diverged_metric(
                metric,
                format_args!("{at}"),
                self.first_non_finite()?,
            ));
        }
        if self.step(update)? == Finite::No {
            return Err(diverged_direction(
                format_args!("{at}"),
                self.non_finite_direction()?,
            ));
        }
        Ok(())
    }

    /// Writes the directions of a batch of `samples` into the gradient buffers of the groups of `update`, which is
    /// the batch's update of this `number`, from 1. Noise and draws are `given`, or else what comes next from
    /// their streams.
    fn compute(
        &mut self,
        samples: Samples<'_>,
        update: Update,
        number: u32,
        given: Option<&GivenNoise>,
    ) -> Result<Readings, Error> {
        let count = samples.count();
        let is_new = !self.has_buffers(count);
        if is_new {
            // The former ones first, which take room; steps of this size were of other buffers.
            self.training = None;
            self.repeated.retain(|step| !step.is_of(count));
        }
        let Buffers { workspace, .. } = match &mut self.training {
            Some(buffers) => buffers,
            none => none.insert(Buffers {
                workspace: Workspace::new(&self.model, count)?,
                watch: None,
            }),
        };
        if number == 1 {
            workspace.run(&self.model, samples)?;
        }
        let batch_loss = workspace.take_batch_loss();
        // Once for each size of batches: every step would cost as much again as the copies.
        let copies = if is_new {
            Some(workspace.copies()?)
        } else {
            None
        };
        let draws = DrawSource::new(given, self.draws.as_ref())?;
        let (pass, mut out) = workspace.pass(&self.model, draws, self.declared.metrics, number);
        let mut readings = Readings::default();
        // Both groups' directions before either moves: they follow from the same parameters.
        if let Some(inverses) = self.inverses.as_ref().filter(|_| update.inverses) {
            let mut out = InverseDirections::default();
            let source = match given {
                Some(given) => Source::Given(given),
                None => inverses.noise().next()?,
            };
            let noise = Noise::new(source, self.model.units(), count);
            self.algorithm.inverse_directions(&pass, &noise, &mut out)?;
            if let Some(name) = out.left_out(inverses.maps()) {
                return Err(left_out(
                    self.declared.name,
                    &format!("`{name}`"),
                    "`squared_error` or `gradient` for every map",
                ));
            }
            if self.declared.has_inverse_loss {
                readings.inverses = Some(out.into_losses());
            }
        }
        if update.network {
            self.algorithm.directions(&pass, &mut out)?;
            if let Some(l) = out.left_out() {
                return Err(left_out(
                    self.declared.name,
                    &format!("layer {l}"),
                    "`gradient` or `none` for every layer",
                ));
            }
            let maps = self.companions.iter().flat_map(Group::maps);
            if let Some(name) = out.map_left_out(maps) {
                return Err(left_out(
                    self.declared.name,
                    &format!("`{name}`"),
                    "`map` or `still` for every map",
                ));
            }
            readings.own = out.metrics().values(self.declared.name)?;
            let set = out.loss().map(Value::Known);
            readings.batch = set.or(batch_loss);
        }
        if let Some(copies) = copies
            && let Some(l) = workspace.overwritten(&copies)?
        {
            let message = format!("{} overwrote h({l}) of its pass", self.declared.name);
            let error = PluginError::new(ErrorCode::OTHER, message);
            let help = "write to a buffer of its own, such as `pass.scratch(l)`";
            return Err(error.with_help(help).into());
        }
        Ok(readings)
    }

    /// Moves the groups of `update` against their directions.
    fn step(&mut self, update: Update) -> Result<Finite, Error> {
        if let Some(draws) = &mut self.draws {
            draws.advance()?;
        }
        if let Some(inverses) = self.inverses.as_mut().filter(|_| update.inverses)
            && inverses.step()? == Finite::No
        {
            return Ok(Finite::No);
        }
        if !update.network {
            return Ok(Finite::Yes);
        }
        for group in &mut self.companions {
            if group.step()? == Finite::No {
                return Ok(Finite::No);
            }
        }
        self.optimiser.step(self.model.parameters_mut())
    }

    /// The directions of every parameter for `batch`, applied to none.
    fn all_directions(&mut self, batch: &Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, Error> {
        let samples = Samples::of_batch(&self.expected, batch)?;
        let given = match noise {
            [] => None,
            _ if self.inverses.is_none() && self.draws.is_none() => {
                return Err(Error::new(
                    ErrorCode::UNSUPPORTED,
                    format!("{} uses no noise, so none can be given", self.declared.name),
                ));
            }
            noise => {
                let of_inverses = self.inverses.iter().flat_map(InverseGroup::needed_noise);
                let of_draws = self.draws.iter().flat_map(DrawStream::declared);
                let needed = of_inverses.chain(of_draws);
                Some(GivenNoise::parse(noise, needed, samples.count())?)
            }
        };
        let everything = Update {
            network: true,
            inverses: true,
            is_last: true,
        };
        self.compute(samples, everything, 1, given.as_ref())?;
        let mut gradients = self.model.parameters().named_gradients()?;
        for group in self.maps() {
            gradients.extend(group.named_gradients()?);
        }
        to_safetensors(gradients.iter().map(|(name, gradient)| (*name, gradient)))
    }

    fn write_outputs(&mut self, samples: Samples<'_>, outputs: &mut [f32]) -> Result<(), Error> {
        let count = samples.count();
        self.expected.check_outputs(count, outputs.len())?;
        let predictor = match self.inference.take() {
            Some(predictor) if predictor.activations.samples() == count => predictor,
            _ => Predictor::new(&self.model, count)?,
        };
        let predictor = self.inference.insert(predictor);
        predictor.activations.run(&self.model, samples)?;
        let inference = predictor.inference(&self.model);
        let activations = &predictor.activations;
        self.algorithm.predict(&inference, activations.output())?;
        if !is_finite(activations.output())? {
            let layer = activations.non_finite()?.map(output_name);
            let what = "an output of the network is infinite or not a number";
            return Err(diverged(what, layer));
        }
        let output = activations.output();
        if self.model.task() == Task::Reconstruction {
            Function::Tanh.apply_to(output)?;
        }
        let rows = self.model.output_units().by_sample(output)?;
        let rows = rows.f_contiguous()?;
        card::finish()?;
        let rows = rows.f_to_device(Device::Cpu)?;
        rows.f_copy_data(outputs, outputs.len())?;
        Ok(())
    }
}

impl Learner for Trainer {
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        let mut batches = LentBatches {
            source: batches,
            expected: self.expected,
        };
        at_boundary(|| self.train_reporting(epoch, &mut batches, metrics))
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        at_boundary(|| {
            let samples = Samples::of_inputs(&self.expected, inputs)?;
            self.write_outputs(samples, outputs)
        })
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        at_boundary(|| self.state.save())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        self.repeated.clear();
        at_boundary(|| self.state.restore(state))
    }

    fn directions(&mut self, batch: Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        at_boundary(|| self.all_directions(&batch, noise))
    }

    fn cost(&mut self) -> Option<Cost> {
        Some(self.cost)
    }

    fn lend(&mut self, number: u32, split: &StoredSplit<'_>) -> Result<bool, PluginError> {
        at_boundary(|| {
            let Some(card) = card::current() else {
                return Ok(false);
            };
            self.expected.check_split(split)?;
            // The former one first, which takes room.
            self.splits.remove(&number);
            self.order = None;
            let kept = KeptSplit::new(&card, split)?;
            let is_kept = kept.is_some();
            self.splits.extend(kept.map(|kept| (number, Rc::new(kept))));
            Ok(is_kept)
        })
    }

    fn train_resident(
        &mut self,
        epoch: u32,
        order: &EpochOrder<'_>,
        places: &mut PlaceSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        at_boundary(|| {
            let mut batches = KeptBatches {
                source: places,
                order: self.order(order)?,
            };
            let trained = self.train_reporting(epoch, &mut batches, metrics);
            self.order = trained.is_ok().then_some(batches.order);
            trained
        })
    }

    fn predict_resident(
        &mut self,
        split: u32,
        samples: Places,
        outputs: &mut [f32],
    ) -> Result<(), PluginError> {
        at_boundary(|| {
            let split = self.split(split)?;
            self.write_outputs(Samples::Kept(split.at(samples)?), outputs)
        })
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

/// The error of an `algorithm` that wrote no direction for `whose`, where it has to call `what`.
pub(crate) fn left_out(algorithm: &str, whose: &str, what: &str) -> Error {
    let message = format!("{algorithm} wrote no direction for {whose}");
    let error = PluginError::new(ErrorCode::OTHER, message);
    let help = format!("the algorithm has to call {what} in every step");
    Error::Plugin(error.with_help(help))
}
