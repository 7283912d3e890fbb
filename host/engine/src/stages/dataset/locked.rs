//! Compares the content of the datasets of a plan with its lock.

use assay_core::{Complaints, PlannedStage, StageKind};
use assay_data::sources::DatasetSource;
use serde::Deserialize;

use crate::lock::LockWatch;

/// Compares the source of each dataset stage, whose parameters are complete, with the lock. Only
/// its content counts: how it is split and scaled is the pipeline file's own business, which
/// version control keeps already.
pub(crate) fn compare_datasets(
    stages: &[PlannedStage],
    lock: &mut LockWatch,
    complaints: &mut Complaints,
) {
    for stage in stages.iter().filter(|it| it.kind == StageKind::Dataset) {
        let source = stage.parameters.get("source");
        // A source that is not complete has been complained about already.
        let source = source.and_then(|source| DatasetSource::deserialize(source).ok());
        if let (Some(source), Some(place)) = (source, stage.place("source")) {
            lock.dataset(&stage.name, place, source.content(), complaints);
        }
    }
}
