//! Continues a training from the artifact of the same training with fewer epochs. Nothing else
//! differs between the two, so the longer one goes through the states of the shorter one: from the
//! last of them on, it ends with the bytes of a training that was never divided.

use std::path::PathBuf;

use assay_core::ObjectHash;
use assay_report::{ErrorMeasure, read_metrics};

use super::checkpoint::{Checkpoint, KeptState, ProgressRow, TrainingProgress, kept_state};
use super::{BEST, FINAL, METRICS, TRAINING, TrainingDocument, TrainingParameters};
use crate::log::note;
use crate::stages::context::Shorter;
use crate::stages::{Context, StageError, data, read, read_document};

/// The end of the shorter training that the context has, as a checkpoint of this one. One that
/// cannot be read is as good as none: the training then begins at its first epoch.
pub(super) fn continuation(
    context: &Context,
    parameters: &TrainingParameters,
) -> Option<Checkpoint> {
    let shorter = context.shorter.as_ref()?;
    match end_of(shorter, parameters) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            note(&format!("cannot go on from {}: {error}", shorter.artifact));
            None
        }
    }
}

fn end_of(
    shorter: &Shorter,
    parameters: &TrainingParameters,
) -> Result<Option<Checkpoint>, StageError> {
    let file = |name: &str| -> Result<&PathBuf, StageError> {
        let file = shorter.files.get(name);
        file.ok_or_else(|| StageError::Incomplete(format!("`{name}` of a shorter training")))
    };
    let document: TrainingDocument = read_document(file(TRAINING)?)?;
    let epochs = document.parameters.epochs;
    let same = TrainingParameters {
        epochs: parameters.epochs,
        ..document.parameters
    } == *parameters;
    if !same || document.diverged_in_epoch.is_some() || epochs >= parameters.epochs {
        return Ok(None);
    }
    let metrics = read_metrics(file(METRICS)?).map_err(data)?;
    let error = ErrorMeasure::of(parameters.network.task()).metric;
    let best_error = metrics.iter().find(|row| {
        row.epoch == document.best_epoch
            && row.metric == error
            && row.split.to_string() == document.best_chosen_on
    });
    let best_error = best_error.map(|row| row.value);
    let rows = metrics.into_iter();
    let rows = rows
        .map(|row| -> ProgressRow { (row.epoch, row.split.to_string(), row.metric, row.value) });
    let progress = TrainingProgress {
        epoch: epochs,
        best_epoch: document.best_epoch,
        best_error,
        rows: rows.collect(),
        elapsed_ms: 0,
        continued_from: Some(shorter.artifact),
        epoch_ms: Vec::new(),
        multiply_adds: None,
    };
    let kept = (1..=epochs).filter(|&epoch| parameters.keeps_state(epoch));
    let kept = kept.map(|epoch| -> Result<_, StageError> {
        let path = match epoch {
            last if last == epochs => file(FINAL)?,
            earlier => file(&kept_state(earlier))?,
        };
        let (path, hash) = (path.clone(), ObjectHash::of(&read(path)?));
        Ok((epoch, KeptState::File { path, hash }))
    });
    Ok(Some(Checkpoint {
        progress,
        state: read(file(FINAL)?)?,
        best: read(file(BEST)?)?,
        kept: kept.collect::<Result<_, _>>()?,
    }))
}
