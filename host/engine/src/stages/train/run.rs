//! Executes a training: the host's loop around a learner's update. Order, evaluation, checkpoints
//! and metrics are the same for every algorithm, so that a comparison compares algorithms.

use std::thread;
use std::time::Instant;

use assay_abi::{
    BatchSource, Cost, ErrorCode, LearnerHandle, MetricSink, Metrics, PlaceSource, PluginError,
};
use assay_data::order::epoch_order;
use assay_data::table::ImageTable;
use assay_network::Network;
use assay_report::{LOSS, MetricRow, Split, write_metrics};

use super::alignment::Alignment;
use super::checkpoint::{self, Checkpoint, KeptState, ProgressRow, kept_state};
use super::continuation::continuation;
use super::fit::check_fit;
use super::news::EpochNews;
use super::resident::{self, LentSplits};
use super::samples::{EpochBatches, EpochPlaces, EpochSamples};
use super::{TrainingDocument, TrainingParameters};
use crate::event::Report;
use crate::log::note;
use crate::stages::measure::{Wanted, measure};
use crate::stages::splits::Splits;
use crate::stages::{
    Context, JSON, Outputs, PARQUET, Phase, SAFETENSORS, StageError, data, write, write_document,
};

/// The metrics of every epoch that was completed.
pub(crate) const METRICS: &str = "metrics.parquet";
/// The state after the last epoch; absent where the training diverged.
pub(crate) const FINAL: &str = "final.safetensors";
/// The state after the epoch with the lowest error on the validation split; absent where the first
/// epoch diverged.
pub(crate) const BEST: &str = "best.safetensors";
/// The [`TrainingDocument`].
pub(crate) const TRAINING: &str = "training.json";

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let started = Instant::now();
    let parameters: TrainingParameters = context.parameters()?;
    let splits = Splits::open(context)?;
    check_shapes(&parameters, &splits.train)?;
    check_augmentation(&parameters, &splits.train)?;
    let mut learner = context.learner(&parameters)?;
    let splits = LentSplits::lend(context, &mut learner, splits)?;
    let mut alignment = Alignment::new(context, &parameters, splits.train())?;
    let mut training = begin(context, &parameters, &mut learner)?;
    let mut news = EpochNews::new(context, &parameters, splits.chosen_on());
    news.report(&training.progress, true);
    let earlier_ms = training.progress.elapsed_ms;
    let mut passes = 1;
    let mut diverged = None;
    for epoch in training.progress.epoch + 1..=parameters.epochs {
        let trained = run_epoch(
            context,
            &parameters,
            &splits,
            &mut learner,
            epoch,
            passes,
            &mut training,
        );
        let trained = trained.and_then(|passes| {
            if let Some(alignment) = &mut alignment {
                let state = &training.state;
                let rows = alignment.measure(context, &parameters, &mut learner, state, epoch)?;
                training.progress.rows.extend(rows);
            }
            Ok(passes)
        });
        passes = match trained.map_err(divergence) {
            Ok(passes) => passes,
            Err(Ok(reason)) => {
                note(&format!("diverged in epoch {epoch}: {reason}"));
                context.reporter.send(&Report::Diverged { epoch });
                diverged = Some(epoch);
                break;
            }
            Err(Err(error)) => return Err(error),
        };
        training.progress.elapsed_ms = earlier_ms + started.elapsed().as_millis() as u64;
        if parameters.keeps_state(epoch) {
            training.kept.insert(epoch, KeptState::Current);
        }
        if epoch < parameters.epochs {
            checkpoint::save(&context.scratch, &mut training)?;
        }
        news.report(&training.progress, false);
    }
    let outputs = write_outputs(context, parameters, &splits, &training, diverged)?;
    Ok(Outputs {
        earlier_ms,
        continued_from: training.progress.continued_from,
        epoch_ms: training.progress.epoch_ms,
        multiply_adds: training.progress.multiply_adds,
        ..outputs
    })
}

/// Where the training begins, with the learner in that state: at its own checkpoint if it was
/// interrupted, else at the end of the same training with fewer epochs, else at the first epoch.
fn begin(
    context: &Context,
    parameters: &TrainingParameters,
    learner: &mut LearnerHandle,
) -> Result<Checkpoint, StageError> {
    let own = checkpoint::load(&context.scratch)?;
    let (training, doing) = if let Some(own) = own {
        note(&format!("resuming after epoch {}", own.progress.epoch));
        (own, "restore a checkpoint")
    } else if let Some(shorter) = continuation(context, parameters) {
        let epoch = shorter.progress.epoch;
        note(&format!("going on from a training of {epoch} epochs"));
        (shorter, "restore the state of a shorter training")
    } else {
        return Ok(Checkpoint::default());
    };
    learner
        .restore(&training.state)
        .map_err(|error| context.plugin_error(doing, error))?;
    Ok(training)
}

/// The reason why a training diverged, or the error if it means something else.
fn divergence(error: StageError) -> Result<String, StageError> {
    match error {
        StageError::Diverged(reason) => Ok(reason),
        StageError::Plugin { source, .. } if source.code == ErrorCode::NON_FINITE => {
            Ok(source.message.into_string())
        }
        other => Err(other),
    }
}

/// Trains one epoch, measures the errors and keeps the states; gives how often the learner went
/// through the batches.
fn run_epoch(
    context: &Context,
    parameters: &TrainingParameters,
    splits: &LentSplits,
    learner: &mut LearnerHandle,
    epoch: u32,
    passes: u32,
    training: &mut Checkpoint,
) -> Result<u32, StageError> {
    let cost_before = cost(context, learner)?;
    let started = Instant::now();
    let trained = train_epoch(context, parameters, splits, learner, epoch, passes)?;
    let epoch_ms = started.elapsed().as_millis() as u64;
    let cost_after = cost(context, learner)?;
    let mut rows: Vec<_> = trained.metrics.rows(epoch).collect();
    let errors = evaluate_epoch(context, parameters, splits, learner, epoch, &mut rows)?;
    training.state = save(context, &parameters.network, learner, epoch)?;
    let progress = &mut training.progress;
    progress.rows.append(&mut rows);
    progress.epoch_ms.push(epoch_ms);
    progress.multiply_adds = multiply_adds(cost_before, cost_after);
    let chosen_on = errors.validation.unwrap_or(errors.test);
    // The first of equal epochs, so that longer training changes nothing by itself.
    if progress.best_error.is_none_or(|best| chosen_on < best) {
        (progress.best_epoch, progress.best_error) = (epoch, Some(chosen_on));
        training.best.clone_from(&training.state);
    }
    progress.epoch = epoch;
    Ok(trained.passes)
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
    fn rows(self, epoch: u32) -> impl Iterator<Item = ProgressRow> {
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
    splits: &LentSplits,
    learner: &mut LearnerHandle,
    epoch: u32,
    passes: u32,
) -> Result<TrainedEpoch, StageError> {
    let augmentation = parameters.augmentation;
    let samples = EpochSamples {
        table: splits.train(),
        order: epoch_order(parameters.seed, epoch, splits.train().len()),
        augmentation: augmentation.map(|it| it.in_epoch(parameters.seed, epoch)),
    };
    let phase = epoch_phase(parameters, epoch, 0.0, TRAINING_SHARE);
    let batch_size = parameters.batch_size as usize;
    let mut metrics = EpochMetrics::default();
    let mut places = EpochPlaces::new(context, samples.order.len(), batch_size, passes, phase);
    let mut sink = MetricSink::new(&mut metrics);
    let trained = if splits.keeps_train() {
        let crops = resident::crops(&samples);
        let order = resident::order(&samples, &crops);
        learner.train_resident(epoch, &order, &mut PlaceSource::new(&mut places), &mut sink)
    } else {
        thread::scope(|scope| {
            let mut batches = EpochBatches::new(scope, &samples, &mut places);
            learner.train_epoch(epoch, &mut BatchSource::new(&mut batches), &mut sink)
        })
    };
    let (is_exhausted, passes) = (places.is_exhausted(), places.passes());
    trained.map_err(|error| context.plugin_error(&format!("train epoch {epoch}"), error))?;
    if !is_exhausted {
        let what = format!("ended epoch {epoch} before it had seen every batch");
        return Err(context.bad_answer(what));
    }
    if let Some((name, sum, _)) = metrics.sums.iter().find(|(_, sum, _)| !sum.is_finite()) {
        let what = format!("reported a `{name}` in epoch {epoch} whose sum is {sum}");
        return Err(context.bad_answer(what));
    }
    Ok(TrainedEpoch { metrics, passes })
}

/// The cost that the learner counts; none where its plugin does not.
fn cost(context: &Context, learner: &mut LearnerHandle) -> Result<Option<Cost>, StageError> {
    let cost = learner.cost();
    cost.map_err(|error| context.plugin_error("tell what training cost", error))
}

/// A count that a JSON document holds exactly; no network takes as many.
const MOST_MULTIPLY_ADDS: u64 = 1 << 53;

/// The multiply-adds for each sample of an epoch, from the counts before and after it.
fn multiply_adds(before: Option<Cost>, after: Option<Cost>) -> Option<u64> {
    let (before, after) = (before?, after?);
    let samples = after.samples.checked_sub(before.samples)?;
    let counted = after.multiply_adds.checked_sub(before.multiply_adds)?;
    let per_sample = (counted as f64 / samples as f64).round();
    (samples > 0 && per_sample <= MOST_MULTIPLY_ADDS as f64).then_some(per_sample as u64)
}

/// The errors that the best epoch may be chosen by.
struct EpochErrors {
    validation: Option<f64>,
    test: f64,
}

fn evaluate_epoch(
    context: &Context,
    parameters: &TrainingParameters,
    splits: &LentSplits,
    learner: &mut LearnerHandle,
    epoch: u32,
    rows: &mut Vec<ProgressRow>,
) -> Result<EpochErrors, StageError> {
    let mut errors = EpochErrors {
        validation: None,
        test: f64::NAN,
    };
    for (split, source) in splits.iter() {
        let phase = epoch_phase(parameters, epoch, TRAINING_SHARE, 1.0 - TRAINING_SHARE);
        let network = &parameters.network;
        let wanted = Wanted {
            top_k: &[1],
            predictions: false,
        };
        let measured = measure(context, learner, network, source, wanted, &phase)?;
        if !measured.loss.is_finite() {
            return Err(StageError::Diverged(format!(
                "the {split} loss is {}",
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
            rows.push((epoch, split.to_string(), metric, value));
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
    splits: &LentSplits,
    training: &Checkpoint,
    diverged_in_epoch: Option<u32>,
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
    let document = TrainingDocument {
        parameters,
        best_epoch: training.progress.best_epoch,
        best_chosen_on: splits.chosen_on().to_string(),
        diverged_in_epoch,
    };
    write_metrics(&context.out.join(METRICS), &rows).map_err(data)?;
    write_document(&context.out.join(TRAINING), &document)?;
    let mut outputs = Outputs::default();
    outputs.add(METRICS, PARQUET);
    outputs.add(TRAINING, JSON);
    let states = [
        (FINAL, &training.state, diverged_in_epoch.is_none()),
        (BEST, &training.best, !training.best.is_empty()),
    ];
    for (name, state, is_there) in states {
        if is_there {
            write(&context.out.join(name), state)?;
            outputs.add(name, SAFETENSORS);
        }
    }
    for (&epoch, kept) in &training.kept {
        // Each was saved with a checkpoint: none is of the last epoch.
        if let KeptState::File { path, .. } = kept {
            let name = kept_state(epoch);
            checkpoint::copy(path, &context.out.join(&name))?;
            outputs.add(&name, SAFETENSORS);
        }
    }
    Ok(outputs)
}
