//! Prepares a dataset: obtains, checks and splits it.

use std::sync::PoisonError;

use assay_data::DatasetError;
use assay_data::obtain::Search;
use assay_data::prepare::{DESCRIPTION_FILE, Progress as Step, Summary, Workplace, prepare};
use assay_data::sources::DatasetParameters;

use crate::event::{Progress, Unit};
use crate::log::note;

use super::StoreHashes;
use crate::stages::{ARROW, Context, JSON, Outputs, StageError, data};

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: DatasetParameters = context.parameters()?;
    // Before, so that nobody waits hours for a dataset that is not the planned one, and after,
    // so that files that change meanwhile are noticed.
    check_unchanged(context, &parameters)?;
    let summary = prepare_reporting(context, &parameters)?;
    check_unchanged(context, &parameters)?;
    for (file, origin) in &summary.origins {
        note(&format!("{file}: from {origin}"));
    }
    let mut outputs = Outputs::default();
    for split in summary.description.splits.iter() {
        for skipped in &split.skipped {
            note(&format!("left out: {} {}", skipped.file, skipped.reason));
        }
        split.files().for_each(|file| outputs.add(file, ARROW));
    }
    outputs.add(DESCRIPTION_FILE, JSON);
    Ok(outputs)
}

/// The files that the stage reads are those that were planned with.
fn check_unchanged(context: &Context, parameters: &DatasetParameters) -> Result<(), StageError> {
    let mut hashes = context
        .sources
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let source = &parameters.source;
    source
        .check_unchanged(context.data_dir.as_deref(), &mut StoreHashes(&mut hashes))
        .map_err(data)?;
    hashes.save();
    Ok(())
}

fn prepare_reporting(
    context: &Context,
    parameters: &DatasetParameters,
) -> Result<Summary, StageError> {
    let search = Search {
        directory: context.data_dir.as_deref(),
        network: true,
    };
    let workplace = Workplace {
        output: &context.out,
        scratch: &context.scratch,
        threads: context.threads,
        cancelled: &context.cancelled,
    };
    let mut report = |step: Step<'_>| context.reporter.progress(progress(step));
    prepare(parameters, search, &workplace, &mut report).map_err(|error| match error {
        DatasetError::Cancelled => StageError::Cancelled,
        error => StageError::Dataset(Box::new(error)),
    })
}

fn progress(step: Step<'_>) -> Progress {
    match step {
        Step::Fetching(step) => Progress {
            phase: format!("fetching {}", step.file),
            done: step.done,
            total: step.total.unwrap_or(0),
            unit: Unit::Bytes,
            fraction: 0.0,
        },
        Step::Images { done, total } => Progress {
            phase: "decoding images".to_owned(),
            done,
            total,
            unit: Unit::Samples,
            fraction: done as f64 / total.max(1) as f64,
        },
    }
}
