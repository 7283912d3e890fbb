//! The learner behind every algorithm here. What each does wrong stands where it does it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use assay_abi::{
    Batch, BatchSource, CreateRequest, EpochOrder, ErrorCode, Learner, MetricSink, PlaceSource,
    Places, PluginError, StoredSplit, TensorView,
};
use assay_network::Network;

use crate::adam::Moments;
use crate::defect::Defect;
use crate::kept::{Kept, KeptBatches};
use crate::perceptron::{Gradient, Perceptron};
use crate::settings::{Settings, parse};
use crate::state;

/// The seed of the learner that was created last; only [`Defect::SharesState`] looks at it.
static LAST_SEED: AtomicU64 = AtomicU64::new(0);

/// The thread of every learner that lives; only [`Defect::NoticesOthers`] looks at it.
static THREADS: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());

fn threads() -> MutexGuard<'static, Vec<ThreadId>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True if a learner of another thread lives.
fn is_beside_others() -> bool {
    let own = thread::current().id();
    threads().iter().any(|&it| it != own)
}

/// True if the host tells kernels to use no vector instructions.
fn is_without_vectors() -> bool {
    std::env::var_os("ATEN_CPU_CAPABILITY").is_some_and(|it| it == "default")
}

pub(crate) struct Backpropagation {
    defect: Defect,
    settings: Settings,
    network: Perceptron,
    /// Of the weights and of the biases of each layer.
    moments: Vec<(Moments, Moments)>,
    /// The number of steps, and of predictions where they are counted.
    counts: Vec<f32>,
    /// The splits that it keeps, by number.
    splits: BTreeMap<u32, Rc<Kept>>,
}

impl Backpropagation {
    pub(crate) fn new(request: &CreateRequest<'_>, defect: Defect) -> Result<Self, PluginError> {
        let network: Network = serde_json::from_str(request.network.as_str())
            .map_err(|error| PluginError::from_error(ErrorCode::UNSUPPORTED, &error))?;
        let mut settings = parse(request.hyperparameters.as_str(), defect)?;
        settings.learning_rate *= match defect {
            Defect::CountsThreads if request.threads > 1 => 1.001,
            Defect::MindsInstructions if is_without_vectors() => 1.001,
            _ => 1.0,
        };
        LAST_SEED.store(request.seed, Ordering::Relaxed);
        let seed = if defect == Defect::IgnoresSeed {
            0
        } else {
            request.seed
        };
        let mut network = Perceptron::new(&network, seed).map_err(|mut error| {
            if defect == Defect::RefusesWithoutCode {
                error.code = ErrorCode::OTHER;
            }
            error
        })?;
        network.nonlinear = ![Defect::IsLinear, Defect::PromisesLittle].contains(&defect);
        if defect == Defect::Leaks {
            // Opaque to the compiler, which would otherwise leave the allocation out.
            std::mem::forget(std::hint::black_box(vec![1_u8; 8192]));
        }
        let moments = network.layers.iter().map(|layer| {
            let of = |buffer: &Vec<f32>| Moments::new(buffer.len());
            (of(&layer.weight), of(&layer.bias))
        });
        threads().push(thread::current().id());
        Ok(Self {
            defect,
            settings,
            moments: moments.collect(),
            network,
            counts: vec![0.0; 2],
            splits: BTreeMap::new(),
        })
    }

    /// One step down the gradient; the loss before it.
    fn step(&mut self, batch: &Batch<'_>) -> Result<f64, PluginError> {
        if batch.labels.samples() == 1 {
            match self.defect {
                Defect::Aborts => std::process::abort(),
                Defect::Panics => panic!("read past the end"),
                Defect::Hangs => loop {
                    thread::sleep(Duration::from_secs(1));
                },
                _ => {}
            }
        }
        let (loss, gradient) = self.gradient(batch)?;
        self.counts[0] += 1.0;
        let step = self.counts[0] as i32;
        let mut settings = self.settings;
        if self.defect == Defect::SharesState && step > 1 {
            let odd = LAST_SEED.load(Ordering::Relaxed) % 2;
            settings.learning_rate *= 1.0 + 0.1 * odd as f64;
        }
        if self.defect == Defect::NoticesOthers && is_beside_others() {
            settings.learning_rate *= 1.001;
        }
        let layers = self.network.layers.iter_mut().zip(&mut self.moments);
        for ((layer, (weight, bias)), slopes) in layers.zip(&gradient) {
            weight.step(&settings, step, &mut layer.weight, &slopes.0);
            bias.step(&settings, step, &mut layer.bias, &slopes.1);
        }
        Ok(loss)
    }

    fn gradient(&self, batch: &Batch<'_>) -> Result<(f64, Gradient), PluginError> {
        let unfit = |error| PluginError::from_error(ErrorCode::SHAPE, &error);
        let inputs = batch.inputs.as_f32().map_err(unfit)?;
        let labels = batch.labels.as_i64().map_err(unfit)?;
        let (loss, mut gradient) = self.network.gradient(inputs, labels);
        if self.defect == Defect::PromisesTooMuch
            && let Some((_, hidden)) = gradient.split_last_mut()
        {
            for (weight, bias) in hidden {
                weight.fill(0.0);
                bias.fill(0.0);
            }
        }
        Ok((loss, gradient))
    }

    /// The beginning of the names of parameters.
    fn group(&self) -> &'static str {
        match self.defect {
            Defect::RenamesGradient => "layer",
            _ => "forward",
        }
    }

    /// Every tensor of the state, by name.
    fn tensors(&mut self) -> state::Named<'_> {
        let group = self.group();
        let mut tensors = BTreeMap::from([("counts".to_owned(), &mut self.counts)]);
        let layers = self.network.layers.iter_mut().zip(&mut self.moments);
        for (l, (layer, (weight, bias))) in (1..).zip(layers) {
            tensors.insert(format!("{group}.{l}.weight"), &mut layer.weight);
            tensors.insert(format!("{group}.{l}.bias"), &mut layer.bias);
            if self.defect == Defect::ForgetsMoments {
                continue;
            }
            for (of, moments) in [("weight", weight), ("bias", bias)] {
                let name = |moment: &str| format!("optimiser.{l}.{of}.{moment}");
                tensors.insert(name("first"), &mut moments.first);
                tensors.insert(name("second"), &mut moments.second);
            }
        }
        tensors
    }

    /// Reports the metrics of a step, or of an epoch.
    fn report(
        &self,
        metrics: &mut MetricSink<'_>,
        batch: usize,
        loss: f64,
    ) -> Result<(), PluginError> {
        let loss = match self.defect {
            Defect::ReportsTooLittle => return Ok(()),
            Defect::ReportsInfinity => loss / (batch as f64 - 4.0),
            _ => loss,
        };
        if self.defect == Defect::ReportsUndeclared {
            metrics.record("steps", &[1.0])?;
        }
        metrics.record("batch_loss", &[loss])
    }
}

impl Backpropagation {
    fn split(&self, number: u32) -> Result<Rc<Kept>, PluginError> {
        let none = || PluginError::new(ErrorCode::UNSUPPORTED, "there is no such split");
        self.splits.get(&number).cloned().ok_or_else(none)
    }
}

impl Drop for Backpropagation {
    fn drop(&mut self) {
        let (mut threads, own) = (threads(), thread::current().id());
        if let Some(at) = threads.iter().position(|&it| it == own) {
            threads.swap_remove(at);
        }
    }
}

impl Learner for Backpropagation {
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        if self.defect == Defect::Prints {
            println!("epoch {epoch}");
        }
        let (mut steps, mut sum) = (0, 0.0);
        loop {
            let batch = match batches.next_batch() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) if error.is_cancelled() => match self.defect {
                    Defect::IgnoresCancellation => return Ok(()),
                    Defect::AsksOn => {
                        let _ = batches.next_batch();
                        return batches.next_batch().map(drop);
                    }
                    _ => return Err(error),
                },
                Err(error) => return Err(error),
            };
            let samples = batch.labels.samples();
            let loss = self.step(&batch)?;
            self.report(metrics, samples, loss)?;
            (steps, sum) = (steps + 1, sum + loss);
        }
        if self.defect == Defect::AveragesNothing {
            metrics.record("batch_loss", &[sum / f64::from(steps)])?;
        }
        Ok(())
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        let unfit = |error| PluginError::from_error(ErrorCode::SHAPE, &error);
        let values = inputs.as_f32().map_err(unfit)?;
        let size = values.len() / inputs.samples().max(1);
        let width = self.network.outputs();
        let rows = outputs.chunks_exact_mut(width.max(1));
        for (input, row) in values.chunks_exact(size.max(1)).zip(rows) {
            let activations = self.network.forward(input);
            if let Some(output) = activations.last() {
                row.copy_from_slice(output);
            }
        }
        match self.defect {
            Defect::CountsPredictions => self.counts[1] += 1.0,
            Defect::NormalisesBatches => {
                let mean = outputs.iter().sum::<f32>() / outputs.len().max(1) as f32;
                for output in outputs.iter_mut() {
                    *output -= mean;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        let tensors = self.tensors().into_iter();
        state::save(tensors.map(|(name, values)| (name, &**values)).collect())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        let restored = state::restore(state, self.tensors());
        if self.defect == Defect::TakesBadStates {
            return Ok(());
        }
        restored
    }

    fn directions(&mut self, batch: Batch<'_>, _noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        let (_, mut gradient) = self.gradient(&batch)?;
        let factor = match self.defect {
            Defect::ScalesDirections => 2.0,
            Defect::Ascends => -1.0,
            _ => 1.0,
        };
        if let Some((weight, _)) = gradient.first_mut() {
            for slope in weight.iter_mut() {
                *slope *= factor;
            }
        }
        let group = self.group();
        let mut tensors = BTreeMap::new();
        for (l, (weight, bias)) in (1..).zip(&gradient) {
            tensors.insert(format!("{group}.{l}.weight"), weight.as_slice());
            tensors.insert(format!("{group}.{l}.bias"), bias.as_slice());
        }
        state::save(tensors)
    }

    fn lend(&mut self, number: u32, split: &StoredSplit<'_>) -> Result<bool, PluginError> {
        if ![Defect::None, Defect::IgnoresOrder].contains(&self.defect) {
            return Ok(false);
        }
        self.splits.insert(number, Rc::new(Kept::new(split)?));
        Ok(true)
    }

    fn train_resident(
        &mut self,
        epoch: u32,
        order: &EpochOrder<'_>,
        places: &mut PlaceSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        let kept = self.split(order.split)?;
        let mut batches = KeptBatches::new(&kept, order, places, self.defect);
        self.train_epoch(epoch, &mut BatchSource::new(&mut batches), metrics)
    }

    fn predict_resident(
        &mut self,
        split: u32,
        samples: Places,
        outputs: &mut [f32],
    ) -> Result<(), PluginError> {
        let (inputs, shape) = self.split(split)?.inputs(samples);
        let strides = TensorView::contiguous_strides(&shape);
        let inputs = TensorView::f32(&inputs, &shape, &strides);
        let unfit = |error| PluginError::from_error(ErrorCode::SHAPE, &error);
        self.predict(inputs.map_err(unfit)?, outputs)
    }
}
