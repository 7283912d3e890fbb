//! Contradictions between documents and objects, each of which may be sound by itself: sizes in
//! manifests, markers and their runs, the stages of runs and the results of their actions.

use assay_core::{ObjectHash, RunStage, StageOutcome};
use assay_store::Survey;

use super::census::Census;
use super::finding::{Fault, Place};

/// Everything that contradicts something else.
pub(super) fn contradictions(census: &Census, survey: &Survey) -> Vec<(Place, Fault)> {
    let mut faults = sizes(census);
    faults.extend(markers(census, survey));
    faults.extend(stages(census));
    faults
}

fn sizes(census: &Census) -> Vec<(Place, Fault)> {
    let mut faults = Vec::new();
    for (&hash, artifact) in &census.artifacts {
        for (name, file) in &artifact.files {
            let found = census.found.get(&file.object);
            // Where the bytes are wrong, that is the fault.
            let Some(has) = found
                .filter(|found| found.hash == file.object)
                .map(|found| found.size)
            else {
                continue;
            };
            if has != file.size {
                let fault = Fault::Size {
                    name: name.clone(),
                    object: file.object,
                    says: file.size,
                    has,
                };
                faults.push((Place::Object(ObjectHash::from(hash)), fault));
            }
        }
    }
    faults
}

fn markers(census: &Census, survey: &Survey) -> Vec<(Place, Fault)> {
    let mut faults = Vec::new();
    for marker in &survey.markers {
        let place = || Place::Marker {
            run: marker.run,
            path: marker.path.clone(),
        };
        if !marker.is_empty {
            faults.push((place(), Fault::MarkerContents));
        }
        if let Some(run) = census.runs.get(&marker.run)
            && !marker.is_named(run.started_ms)
        {
            let started_ms = run.started_ms;
            faults.push((place(), Fault::MarkerTime { started_ms }));
        }
    }
    faults
}

fn stages(census: &Census) -> Vec<(Place, Fault)> {
    let mut faults = Vec::new();
    for (&hash, run) in &census.runs {
        for stage in &run.stages {
            if let Some(fault) = stage_fault(census, stage) {
                faults.push((Place::Object(hash.into()), fault));
            }
        }
    }
    faults
}

fn stage_fault(census: &Census, stage: &RunStage) -> Option<Fault> {
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
    let mut records = census.records.get(&action).into_iter().flatten();
    if records.any(|filed| filed.result.artifact == artifact) {
        return None;
    }
    // A damaged record may be the one; then that is the fault.
    let is_record =
        |place: &Place| matches!(place, Place::Record { action: of, .. } if *of == action);
    let is_unknown = census.faults.iter().any(|(place, _)| is_record(place));
    (!is_unknown).then(|| Fault::NoResult {
        stage: stage.name.clone(),
        artifact,
    })
}
