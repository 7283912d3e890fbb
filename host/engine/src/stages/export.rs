//! The export stage: a training's parameters without what only further training needs, to be used
//! elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use assay_core::settings::{one_of, placed, string};
use assay_core::{StageKind, StageTable, canonical_json, settings};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::train::{BEST, FINAL, TRAINING, TrainingDocument};
use super::{
    Context, Kind, Outputs, SAFETENSORS, StageError, data, object, read, read_document, write,
};
use crate::containment::Profile;
use crate::plan::{PlannedStage, Planner, Work};

/// The parameters, under the names that they have in the state (docs/methods.md).
const WEIGHTS: &str = "weights.safetensors";

/// The entry of the file's metadata that has the network, as JSON.
const NETWORK: &str = "network";

/// Beginnings of the names of tensors that only further training needs.
const OF_TRAINING: [&str; 2] = ["optimiser.", "noise."];

pub(super) const KIND: Kind = Kind {
    plan: Some(plan),
    run,
    profile: Profile::Sealed,
    keeps_progress: false,
    length: None,
};

/// Parameters of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportParameters {
    state: SavedState,
}

/// A state that a training saves.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SavedState {
    /// After the epoch with the lowest error.
    Best,
    /// After the last epoch.
    Final,
}

impl Work for ExportParameters {
    fn kind(&self) -> StageKind {
        StageKind::Export
    }

    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        object(self)
    }
}

/// Plans an export for each instance of a train stage.
fn plan(stage: &StageTable, planner: &mut Planner<'_>) {
    let out = &mut *planner.complaints;
    let mut reader = stage.reader();
    let places = Arc::new(reader.places());
    let training = reader.required("training", out, placed(string));
    let words = [("best", SavedState::Best), ("final", SavedState::Final)];
    let saved = reader.optional("state", out, one_of(&words));
    let limits = settings::limits(&mut reader, out);
    let resources = settings::resources(&mut reader, out);
    reader.finish(out);
    let Some(training) = training else { return };
    let saved = saved.unwrap_or(SavedState::Final);
    for (name, at) in planner.for_each_training(&stage.name, &training) {
        planner.push(PlannedStage {
            name,
            work: Box::new(ExportParameters { state: saved }),
            inputs: [("training".to_owned(), at)].into(),
            plugin: None,
            limits,
            resources,
            labels: None,
            places: Arc::clone(&places),
            search: None,
        });
    }
}

fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: ExportParameters = context.parameters()?;
    let file = match parameters.state {
        SavedState::Best => BEST,
        SavedState::Final => FINAL,
    };
    let training: TrainingDocument = read_document(context.input("training", TRAINING)?)?;
    if let (Some(epoch), None) = (
        training.diverged_in_epoch,
        context.optional_input("training", file),
    ) {
        return Err(StageError::Invalid(format!(
            "the training diverged in epoch {epoch}, so it has no {file}"
        )));
    }
    let state = read(context.input("training", file)?)?;
    let tensors = SafeTensors::deserialize(&state).map_err(data)?;
    let parameters = tensors.iter().filter(|(name, _)| {
        let of_training = OF_TRAINING.iter().any(|start| name.starts_with(start));
        !of_training
    });
    let network = canonical_json(&training.parameters.network).map_err(data)?;
    let network = String::from_utf8(network).map_err(data)?;
    // With one entry, its bytes depend on no order.
    let about = HashMap::from([(NETWORK.to_owned(), network)]);
    let weights = safetensors::serialize(parameters, Some(about)).map_err(data)?;
    write(&context.out.join(WEIGHTS), &weights)?;
    let mut outputs = Outputs::default();
    outputs.add(WEIGHTS, SAFETENSORS);
    Ok(outputs)
}
