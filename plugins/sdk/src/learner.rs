//! The one learner behind every algorithm: it implements the boundary's contract once.

use assay_abi::{Batch, BatchSource, ErrorCode, Learner, MetricSink, PluginError, TensorView};
use assay_network::Network;
use tch::Device;

use crate::activations::Activations;
use crate::adam::Optimiser;
use crate::algorithm::Algorithm;
use crate::error::Error;
use crate::model::Model;
use crate::pass::Workspace;
use crate::setup::Setup;
use crate::state::{State, to_safetensors};

/// The metric that every algorithm reports for every step.
pub(crate) const BATCH_LOSS: &str = "batch_loss";
/// How many steps are reported at once: often enough for progress, rare enough to cost nothing.
const REPORT_EVERY: usize = 64;

/// A network trained by `A`.
pub(crate) struct Trainer<A> {
    algorithm: A,
    model: Model,
    optimiser: Optimiser,
    state: State,
    training: Option<Workspace>,
    inference: Option<Activations>,
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
        let optimiser = Optimiser::new(A::optimiser(config), model.parameters())?;
        let mut setup = Setup::new(&model, seed);
        let algorithm = A::new(&mut setup, config)?;
        let fixed = setup.into_fixed();
        let weights = model
            .parameters()
            .named_values()?
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let state = State::new(
            weights
                .chain(fixed)
                .chain(optimiser.state(model.parameters())?),
        );
        Ok(Self {
            algorithm,
            model,
            optimiser,
            state,
            training: None,
            inference: None,
        })
    }

    /// Writes the directions of `batch` into the gradient buffers; returns its mean loss, which
    /// may be no finite number.
    fn compute(&mut self, batch: &Batch<'_>) -> Result<f64, Error> {
        let samples = checked_samples(&self.model, batch.inputs)?;
        let labels = checked_labels(&self.model, batch, samples)?;
        let workspace = match self.training.take() {
            Some(workspace) if workspace.samples() == samples => workspace,
            _ => Workspace::new(&self.model, samples)?,
        };
        let workspace = self.training.insert(workspace);
        let loss = workspace.run(&self.model, batch.inputs.as_f32()?, labels)?;
        let (pass, mut out) = workspace.pass(&self.model);
        self.algorithm.directions(&pass, &mut out)?;
        Ok(loss)
    }

    fn train(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        losses: &mut Losses<'_, '_>,
    ) -> Result<(), Error> {
        let mut step = 0_u64;
        while let Some(batch) = batches.next_batch()? {
            step += 1;
            let loss = self.compute(&batch)?;
            losses.push(loss)?;
            if !loss.is_finite() {
                return Err(diverged(&format!(
                    "the loss became {loss} at step {step} of epoch {epoch}"
                )));
            }
            self.optimiser.step(self.model.parameters_mut())?;
        }
        if self.model.parameters().all_finite()? {
            Ok(())
        } else {
            Err(diverged(&format!(
                "a weight became infinite or not a number at step {step}, the last of epoch {epoch}"
            )))
        }
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
        let rows = activations
            .logits()
            .f_tr()?
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
        let _no_grad = tch::no_grad_guard();
        let mut losses = Losses::new(metrics);
        let trained = self.train(epoch, batches, &mut losses);
        // Also on the way out of a failure: the last losses tell how it came about.
        let reported = losses.flush();
        trained?;
        Ok(reported?)
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        let _no_grad = tch::no_grad_guard();
        Ok(self.write_outputs(inputs, outputs)?)
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        Ok(self.state.save()?)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        let _no_grad = tch::no_grad_guard();
        Ok(self.state.restore(state)?)
    }

    fn directions(&mut self, batch: Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        let _no_grad = tch::no_grad_guard();
        if !noise.is_empty() {
            return Err(PluginError::new(
                ErrorCode::UNSUPPORTED,
                format!("{} uses no noise, so none can be given", A::NAME),
            ));
        }
        self.compute(&batch)?;
        let gradients = self.model.parameters().named_gradients()?;
        let named = gradients.iter().map(|(name, gradient)| (*name, gradient));
        Ok(to_safetensors(named)?)
    }
}

/// The losses of the steps not reported yet.
struct Losses<'a, 'sink> {
    metrics: &'a mut MetricSink<'sink>,
    pending: Vec<f64>,
}

impl<'a, 'sink> Losses<'a, 'sink> {
    fn new(metrics: &'a mut MetricSink<'sink>) -> Self {
        Self {
            metrics,
            pending: Vec::with_capacity(REPORT_EVERY),
        }
    }

    fn push(&mut self, loss: f64) -> Result<(), Error> {
        self.pending.push(loss);
        if self.pending.len() == REPORT_EVERY {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        if !self.pending.is_empty() {
            self.metrics.record(BATCH_LOSS, &self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }
}

/// B, if `inputs` are (B, C, H, W) with as many values a sample as the network takes.
fn checked_samples(model: &Model, inputs: TensorView<'_>) -> Result<i64, Error> {
    inputs.as_f32()?;
    match *inputs.shape() {
        [samples, channels, height, width]
            if samples > 0 && [channels, height, width] == model.input_shape() =>
        {
            Ok(samples)
        }
        _ => Err(Error::new(
            ErrorCode::SHAPE,
            format!(
                "the inputs have shape {:?}, expected at least one sample of {:?}",
                inputs.shape(),
                model.input_shape()
            ),
        )),
    }
}

fn checked_labels<'a>(model: &Model, batch: &Batch<'a>, samples: i64) -> Result<&'a [i64], Error> {
    let labels = batch.labels.as_i64()?;
    if *batch.labels.shape() != [samples] {
        return Err(Error::new(
            ErrorCode::SHAPE,
            format!(
                "the labels have shape {:?}, expected [{samples}]",
                batch.labels.shape()
            ),
        ));
    }
    let classes = model.outputs();
    match labels
        .iter()
        .position(|label| !(0..classes).contains(label))
    {
        None => Ok(labels),
        Some(at) => Err(Error::new(
            ErrorCode::SHAPE,
            format!(
                "label {at} of the batch is {}, expected 0 to {}",
                labels[at],
                classes - 1
            ),
        )),
    }
}

fn diverged(message: &str) -> Error {
    Error::Plugin(
        PluginError::new(ErrorCode::NON_FINITE, message)
            .with_help("training diverged: try a smaller learning_rate or a larger epsilon"),
    )
}
