//! The learner of a [`Rule`]: the same contract as that of an algorithm, without layers.

use assay_abi::{Batch, BatchSource, ErrorCode, Learner, MetricSink, PluginError, TensorView};
use assay_network::{Network, Task};
use tch::{Device, Kind, Tensor};

use super::{Declarations, Examples, Moves, Rule};
use crate::arithmetic::is_finite;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::hyperparameters;
use crate::learner::{
    Expected, Measured, Report, at_boundary, checked_labels, checked_samples, diverged,
    diverged_direction, diverged_metric, diverged_parameter, left_out, refuse,
};
use crate::noise::{DrawSource, DrawStream, GivenNoise};
use crate::optimiser::Finite;
use crate::parameters::{Group, Parameters};
use crate::state::{State, to_safetensors};
use crate::tensor_slices::copy_f32;

/// The tensors of a rule, and their training.
pub(super) struct RuleLearner<R> {
    rule: R,
    expected: Expected,
    group: Group,
    draws: Option<DrawStream>,
    updates: u32,
    state: State,
    device: Device,
}

impl<R: Rule> RuleLearner<R> {
    pub(super) fn new(
        network: &Network,
        config: &R::Config,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let _no_grad = tch::no_grad_guard();
        let optimiser = config.optimiser();
        let given = hyperparameters::values(config)?;
        refuse(R::NAME, R::refusals(), network, &given, &optimiser)?;
        let mut declarations = Declarations::new(R::NAME, network, seed, device);
        let rule = R::declare(&mut declarations, config)?;
        let Declarations {
            trained,
            fixed,
            draws,
            ..
        } = declarations;
        let parameters = match trained {
            Some(parameters) => parameters,
            None => Parameters::new(Vec::new(), seed, device)?,
        };
        let group = Group::new("rule", parameters, &optimiser)?;
        let draws = DrawStream::new(seed, draws);
        let of_draws = draws.iter().flat_map(DrawStream::state);
        let state = State::new(group.state()?.into_iter().chain(fixed).chain(of_draws));
        Ok(Self {
            rule,
            expected: Expected::of(network),
            group,
            draws,
            updates: config.updates_per_batch().max(1),
            state,
            device,
        })
    }

    fn train(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        report: &mut Report<'_, '_>,
    ) -> Result<(), Error> {
        let mut step = 0_u64;
        while let Some(batch) = batches.next_batch()? {
            step += 1;
            let place = format_args!("at step {step} of epoch {epoch}");
            // The loss of the first update, and the metrics of the last.
            let mut measured = Measured::default();
            for update in 1..=self.updates {
                let loss = measured.batch;
                measured = self.compute(&batch, update, None)?;
                measured.batch = loss.or(measured.batch);
                if let Some(metric) = measured.non_finite(R::METRICS) {
                    report.push(&measured)?;
                    return Err(diverged_metric(metric, place, self.non_finite()?));
                }
                if let Some(draws) = &mut self.draws {
                    draws.advance()?;
                }
                if self.group.step()? == Finite::No {
                    report.push(&measured)?;
                    let parameter = self.group.parameters.non_finite_gradient()?;
                    let name = parameter.map(|it| format!("the direction of {}", it.name));
                    return Err(diverged_direction(place, name));
                }
            }
            report.push(&measured)?;
        }
        match self.non_finite()? {
            None => Ok(()),
            Some(name) => Err(diverged_parameter(step, epoch, name)),
        }
    }

    /// Writes the directions of `batch`, for its update of this number. Draws are `given`, or else what
    /// comes next from their stream.
    fn compute(
        &mut self,
        batch: &Batch<'_>,
        update: u32,
        given: Option<&GivenNoise>,
    ) -> Result<Measured, Error> {
        let samples = checked_samples(&self.expected, batch.inputs)?;
        let labels = checked_labels(&self.expected, batch, samples)?;
        let inputs = self.by_unit(batch.inputs, samples)?;
        let target = match self.expected.task {
            Task::Reconstruction => inputs.shallow_clone(),
            Task::Classification => {
                let labels = Tensor::f_from_slice(labels)?.f_to_device(self.device)?;
                let one_hot = labels.f_one_hot(self.expected.outputs)?;
                one_hot.f_tr()?.f_to_kind(Kind::Float)?.f_contiguous()?
            }
        };
        let draws = DrawSource::new(given, self.draws.as_ref())?;
        let examples = Examples {
            inputs: &inputs,
            target: &target,
            draws,
            update,
        };
        let mut out = Moves::new(R::METRICS);
        let loss = self.rule.step(&examples, &mut out)?;
        let mut names = self.group.parameters.tensors().map(|it| it.name.as_str());
        if let Some(name) = names.find(|name| !out.written.contains(*name)) {
            let what = "`direction` for everything trained";
            return Err(left_out(R::NAME, &format!("`{name}`"), what));
        }
        Ok(Measured {
            batch: Some(loss),
            own: out.metrics.values(R::NAME)?,
            ..Measured::default()
        })
    }

    /// Inputs as the host lays them out, (B, C, H, W), as (`n_0`, B).
    fn by_unit(&self, inputs: TensorView<'_>, samples: i64) -> Result<Tensor, Error> {
        let values = inputs.as_f32()?;
        let by_sample = Tensor::f_empty(
            [samples, values.len() as i64 / samples],
            (Kind::Float, self.device),
        )?;
        copy_f32(&by_sample, values)?;
        Ok(by_sample.f_tr()?.f_contiguous()?)
    }

    /// The name of the first trained tensor with a value that is not finite.
    fn non_finite(&self) -> Result<Option<String>, Error> {
        let name = self.group.parameters.non_finite()?;
        Ok(name.map(str::to_owned))
    }

    fn all_directions(&mut self, batch: &Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, Error> {
        let samples = checked_samples(&self.expected, batch.inputs)?;
        let given = match (noise, &self.draws) {
            ([], _) => None,
            (_, None) => {
                let message = format!("{} uses no noise, so none can be given", R::NAME);
                return Err(Error::new(ErrorCode::UNSUPPORTED, message));
            }
            (noise, Some(draws)) => Some(GivenNoise::parse(noise, draws.declared(), samples)?),
        };
        self.compute(batch, 1, given.as_ref())?;
        let directions = self.group.parameters.named_gradients()?;
        to_safetensors(
            directions
                .iter()
                .map(|(name, direction)| (*name, direction)),
        )
    }

    fn write_scores(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), Error> {
        let samples = checked_samples(&self.expected, inputs)?;
        self.expected.check_outputs(samples, outputs.len())?;
        let inputs = self.by_unit(inputs, samples)?;
        let size = [self.expected.outputs, samples];
        let scores = Tensor::f_zeros(size, (Kind::Float, self.device))?;
        self.rule.scores(&inputs, &scores)?;
        if !is_finite(&scores)? {
            let what = format!("a score of {} is infinite or not a number", R::NAME);
            return Err(diverged(&what, self.non_finite()?));
        }
        let rows = scores.f_tr()?.f_contiguous()?.f_to_device(Device::Cpu)?;
        rows.f_copy_data(outputs, outputs.len())?;
        Ok(())
    }
}

impl<R: Rule> Learner for RuleLearner<R> {
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        at_boundary(|| {
            let mut report = Report::new(metrics, Vec::new(), R::METRICS);
            let trained = self.train(epoch, batches, &mut report);
            let reported = report.flush();
            trained?;
            reported
        })
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        at_boundary(|| self.write_scores(inputs, outputs))
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
