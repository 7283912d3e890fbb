//! Contradictions between documents and objects, each of which may be sound by itself: sizes in
//! manifests, markers and their runs, the stages of runs and the results of their actions.

use std::collections::BTreeSet;

use assay_core::{ActionKey, ObjectHash, RunStage, StageOutcome};

use super::finding::{Fault, Location};
use super::verify::Verified;

/// Everything that contradicts something else.
pub(super) fn contradictions(verified: &Verified<'_>) -> Vec<(Location, Fault)> {
    let mut faults = sizes(verified);
    faults.extend(markers(verified));
    faults.extend(stages(verified));
    faults
}

fn sizes(verified: &Verified<'_>) -> Vec<(Location, Fault)> {
    let mut faults = Vec::new();
    for (&hash, artifact) in verified.graph.artifacts().iter() {
        for (name, file) in &artifact.files {
            let found = verified.found.get(&file.object);
            // Where the bytes are wrong, that is the fault.
            let Some(found) = found.filter(|found| found.hash == file.object) else {
                continue;
            };
            if found.size != file.size {
                let fault = Fault::Size {
                    name: name.clone(),
                    object: file.object,
                    says: file.size,
                    has: found.size,
                };
                faults.push((Location::Object(ObjectHash::from(hash)), fault));
            }
        }
    }
    faults
}

fn markers(verified: &Verified<'_>) -> Vec<(Location, Fault)> {
    let mut faults = Vec::new();
    for marker in &verified.survey.markers {
        let location = || Location::Marker {
            run: marker.run,
            path: marker.path.clone(),
        };
        if !marker.is_empty {
            faults.push((location(), Fault::MarkerContents));
        }
        if let Some(entry) = verified.graph.runs().get(&marker.run)
            && !marker.is_named(entry.run.started_ms)
        {
            let started_ms = entry.run.started_ms;
            faults.push((location(), Fault::MarkerTime { started_ms }));
        }
    }
    faults
}

fn stages(verified: &Verified<'_>) -> Vec<(Location, Fault)> {
    // A damaged record of the action may be the missing one; then that is the fault.
    let damaged = verified.faults.iter();
    let damaged: BTreeSet<_> = damaged
        .filter_map(|(location, _)| action(location))
        .collect();
    let mut faults = Vec::new();
    for (&hash, entry) in verified.graph.runs().iter() {
        for stage in &entry.run.stages {
            if let Some(fault) = stage_fault(verified, &damaged, stage) {
                faults.push((Location::Object(hash.into()), fault));
            }
        }
    }
    faults
}

/// The action of a record.
fn action(location: &Location) -> Option<ActionKey> {
    match location {
        Location::Record { action, .. } => Some(*action),
        Location::Object(_) | Location::Marker { .. } | Location::Path(_) => None,
    }
}

fn stage_fault(
    verified: &Verified<'_>,
    damaged: &BTreeSet<ActionKey>,
    stage: &RunStage,
) -> Option<Fault> {
    let succeeded = matches!(stage.outcome, StageOutcome::Cached | StageOutcome::Ran);
    let (action, artifact) = match (stage.action, stage.artifact) {
        (Some(action), Some(artifact)) if succeeded => (action, artifact),
        (_, None) if !succeeded => return None,
        _ => {
            return Some(Fault::Outcome {
                stage: stage.name.clone(),
            });
        }
    };
    let mut results = verified.graph.results(action).iter();
    let is_recorded = results.any(|(_, result)| result.artifact == artifact);
    (!is_recorded && !damaged.contains(&action)).then(|| Fault::NoResult {
        stage: stage.name.clone(),
        artifact,
    })
}
