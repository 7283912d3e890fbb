//! Executes a training: the host's loop around a learner's update. Order, evaluation, checkpoints
//! and metrics are the same for every algorithm, so that a comparison compares algorithms.

use std::time::Instant;

use assay_abi::{BatchSource, ErrorCode, LearnerHandle, MetricSink, Metrics, PluginError};
use assay_data::order::epoch_order;
use assay_data::table::ImageTable;
use assay_network::Network;
use assay_report::{LOSS, MetricRow, Split, write_metrics};

use super::checkpoint::{self, Checkpoint, TrainingProgress};
use super::fit::check_fit;
use super::samples::EpochBatches;
use super::{TrainingDocument, TrainingParameters};
use crate::log::note;
use crate::stages::measure::measure;
use crate::stages::splits::Splits;
use crate::stages::{
    Context, JSON, Outputs, PARQUET, Phase, SAFETENSORS, StageError, data, write, write_document,
};

/// The metrics of every epoch.
pub(in crate::stages) const METRICS: &str = "metrics.parquet";
/// The state after the last epoch.
pub(in crate::stages) const FINAL: &str = "final.safetensors";
/// The state after the epoch with the lowest error on the validation split.
pub(in crate::stages) const BEST: &str = "best.safetensors";
/// The [`TrainingDocument`].
pub(in crate::stages) const TRAINING: &str = "training.json";

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let started = Instant::now();
    let parameters: TrainingParameters = context.parameters()?;
    let splits = Splits::open(context)?;
    check_shapes(&parameters, &splits.train)?;
    check_augmentation(&parameters, &splits.train)?;
    let mut learner = context.learner(&parameters)?;
    let mut training = match checkpoint::load(&context.scratch)? {
        Some(checkpoint) => {
            note(&format!(
                "resuming after epoch {}",
                checkpoint.progress.epoch
            ));
            learner
                .restore(&checkpoint.state)
                .map_err(|error| context.plugin_error("restore a checkpoint", error))?;
            checkpoint
        }
        None => Checkpoint {
            progress: TrainingProgress::default(),
            state: Vec::new(),
            best: Vec::new(),
        },
    };
    let earlier_ms = training.progress.elapsed_ms;
    let mut passes = 1;
    for epoch in training.progress.epoch + 1..=parameters.epochs {
        let train = &splits.train;
        let trained = train_epoch(context, &parameters, train, &mut learner, epoch, passes)?;
        passes = trained.passes;
        let progress = &mut training.progress;
        progress.rows.extend(trained.metrics.rows(epoch));
        let errors = evaluate_epoch(context, &parameters, &splits, &mut learner, epoch, progress)?;
        training.state = save(context, &parameters.network, &mut learner, epoch)?;
        let chosen_on = errors.validation.unwrap_or(errors.test);
        // The first of equal epochs, so that longer training changes nothing by itself.
        if progress.best_error.is_none_or(|best| chosen_on < best) {
            (progress.best_epoch, progress.best_error) = (epoch, Some(chosen_on));
            training.best.clone_from(&training.state);
        }
        progress.epoch = epoch;
        progress.elapsed_ms = earlier_ms + started.elapsed().as_millis() as u64;
        if epoch < parameters.epochs {
            checkpoint::save(&context.scratch, &training)?;
        }
    }
    let outputs = write_outputs(context, parameters, &splits, &training)?;
    Ok(Outputs {
        earlier_ms,
        ..outputs
    })
}

fn check_shapes(parameters: &TrainingParameters, train: &ImageTable) -> Result<(), StageError> {
    let image = train.shape();
    let image = [image.channels(), image.height(), image.width()].map(|size| size as usize);
    check_fit(
        &parameters.network,
        Some(image.into()),
        Some(train.classes()),
    )
    .map_err(StageError::Invalid)
}

fn check_augmentation(
    parameters: &TrainingParameters,
    train: &ImageTable,
) -> Result<(), StageError> {
    let padding = parameters.augmentation.map_or(0, |it| it.crop_padding);
    let side = train.shape().height().min(train.shape().width());
    if padding >= side {
        return Err(StageError::Invalid(format!(
            "`augmentation.crop_padding` is {padding}, which leaves nothing of some images: it \
             must be below their shorter side, {side}"
        )));
    }
    Ok(())
}

/// The metrics that a plugin reports during one epoch, averaged over its steps.
#[derive(Default)]
struct EpochMetrics {
    /// (name, sum, steps), in the order of first report.
    sums: Vec<(String, f64, u64)>,
}

/// More names than any algorithm declares: a plugin must not fill the host's memory.
const MOST_METRICS: usize = 1000;

impl Metrics for EpochMetrics {
    fn record(&mut self, name: &str, values: &[f64]) -> Result<(), PluginError> {
        let known = self.sums.iter().position(|(known, ..)| known == name);
        let at = match known {
            Some(at) => at,
            None if self.sums.len() == MOST_METRICS || name.is_empty() || name.len() > 255 => {
                return Err(PluginError::new(
                    ErrorCode::HOST,
                    format!("a learner reports at most {MOST_METRICS} metrics with plain names"),
                ));
            }
            None => {
                self.sums.push((name.to_owned(), 0.0, 0));
                self.sums.len() - 1
            }
        };
        let (_, sum, steps) = &mut self.sums[at];
        *sum += values.iter().sum::<f64>();
        *steps += values.len() as u64;
        Ok(())
    }
}

impl EpochMetrics {
    fn rows(self, epoch: u32) -> impl Iterator<Item = (u32, String, String, f64)> {
        self.sums
            .into_iter()
            .filter(|(_, _, steps)| *steps > 0)
            .map(move |(name, sum, steps)| {
                (epoch, Split::Train.to_string(), name, sum / steps as f64)
            })
    }
}

/// About how much of an epoch's time goes into training; the rest measures. Only for progress.
const TRAINING_SHARE: f64 = 0.8;

/// A part of an epoch, from `begin` on, as a part of the whole training.
fn epoch_phase(parameters: &TrainingParameters, epoch: u32, begin: f64, size: f64) -> Phase {
    let epochs = f64::from(parameters.epochs);
    Phase {
        name: format!("epoch {epoch}/{}", parameters.epochs),
        begin: (f64::from(epoch - 1) + begin) / epochs,
        size: size / epochs,
    }
}

/// Result of training one epoch.
struct TrainedEpoch {
    metrics: EpochMetrics,
    /// How often the learner went through the batches: no plugin says so before it does it, so
    /// the progress of an epoch expects what the epoch before it showed.
    passes: u32,
}

fn train_epoch(
    context: &Context,
    parameters: &TrainingParameters,
    train: &ImageTable,
    learner: &mut LearnerHandle,
    epoch: u32,
    passes: u32,
) -> Result<TrainedEpoch, StageError> {
    let order = epoch_order(parameters.seed, epoch, train.len());
    let augmentation = parameters.augmentation;
    let augmentation = augmentation.map(|it| it.in_epoch(parameters.seed, epoch));
    let phase = epoch_phase(parameters, epoch, 0.0, TRAINING_SHARE);
    let batch_size = parameters.batch_size as usize;
    let mut batches = EpochBatches::new(
        context,
        train,
        order,
        augmentation,
        batch_size,
        passes,
        phase,
    );
    let mut metrics = EpochMetrics::default();
    learner
        .train_epoch(
            epoch,
            &mut BatchSource::new(&mut batches),
            &mut MetricSink::new(&mut metrics),
        )
        .map_err(|error| context.plugin_error(&format!("train epoch {epoch}"), error))?;
    if !batches.is_exhausted() {
        let what = format!("ended epoch {epoch} before it had seen every batch");
        return Err(context.bad_answer(what));
    }
    if let Some((name, sum, _)) = metrics.sums.iter().find(|(_, sum, _)| !sum.is_finite()) {
        let what = format!("reported a `{name}` in epoch {epoch} whose sum is {sum}");
        return Err(context.bad_answer(what));
    }
    let passes = batches.passes();
    Ok(TrainedEpoch { metrics, passes })
}

/// The errors that the best epoch may be chosen by.
struct EpochErrors {
    validation: Option<f64>,
    test: f64,
}

fn evaluate_epoch(
    context: &Context,
    parameters: &TrainingParameters,
    splits: &Splits,
    learner: &mut LearnerHandle,
    epoch: u32,
    progress: &mut TrainingProgress,
) -> Result<EpochErrors, StageError> {
    let mut errors = EpochErrors {
        validation: None,
        test: f64::NAN,
    };
    for (split, table) in splits.iter() {
        let phase = epoch_phase(parameters, epoch, TRAINING_SHARE, 1.0 - TRAINING_SHARE);
        let network = &parameters.network;
        let measured = measure(context, learner, network, table, &[1], &phase)?;
        if !measured.loss.is_finite() {
            return Err(StageError::Invalid(format!(
                "training diverged: the {split} loss after epoch {epoch} is {}",
                measured.loss
            )));
        }
        let error = measured.error();
        match split {
            Split::Train => {}
            Split::Validation => errors.validation = Some(error),
            Split::Test => errors.test = error,
        }
        let loss = (LOSS.to_owned(), measured.loss);
        for (metric, value) in std::iter::once(loss).chain(measured.errors) {
            progress
                .rows
                .push((epoch, split.to_string(), metric, value));
        }
    }
    Ok(errors)
}

fn save(
    context: &Context,
    network: &Network,
    learner: &mut LearnerHandle,
    epoch: u32,
) -> Result<Vec<u8>, StageError> {
    let state = learner
        .save()
        .map_err(|error| context.plugin_error("save its state", error))?;
    context.check_tensors(network, &format!("a state after epoch {epoch}"), &state)?;
    Ok(state)
}

fn write_outputs(
    context: &Context,
    parameters: TrainingParameters,
    splits: &Splits,
    training: &Checkpoint,
) -> Result<Outputs, StageError> {
    let mut rows = Vec::with_capacity(training.progress.rows.len());
    for (epoch, split, metric, value) in &training.progress.rows {
        let (split, metric) = (split.parse().map_err(data)?, metric.clone());
        rows.push(MetricRow {
            epoch: *epoch,
            split,
            metric,
            value: *value,
        });
    }
    let chosen_on = if splits.validation.is_some() {
        Split::Validation
    } else {
        Split::Test
    };
    let document = TrainingDocument {
        parameters,
        best_epoch: training.progress.best_epoch,
        best_chosen_on: chosen_on.to_string(),
    };
    write_metrics(&context.out.join(METRICS), &rows).map_err(data)?;
    write(&context.out.join(FINAL), &training.state)?;
    write(&context.out.join(BEST), &training.best)?;
    write_document(&context.out.join(TRAINING), &document)?;
    let mut outputs = Outputs::default();
    outputs.add(METRICS, PARQUET);
    outputs.add(FINAL, SAFETENSORS);
    outputs.add(BEST, SAFETENSORS);
    outputs.add(TRAINING, JSON);
    Ok(outputs)
}
