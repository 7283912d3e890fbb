//! The directions stage: asks a learner for the update directions of one batch, from its own
//! initial state or from a given one, and changes nothing.

mod batch;
mod state;

use assay_network::Network;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::batch::LabelledBatch;
use super::{Context, Kind, LearnerSettings, Outputs, SAFETENSORS, StageError, data, read, write};

/// The role of the batch among the inputs, and its file.
pub(crate) const BATCH: (&str, &str) = ("batch", "batch.safetensors");
/// The role of a given state among the inputs, and its file.
pub(crate) const STATE: (&str, &str) = ("state", "state.safetensors");
/// The file with the directions.
pub(crate) const DIRECTIONS: &str = "directions.safetensors";

/// Parameters that decide directions, beside the batch and the state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DirectionsParameters {
    pub(crate) algorithm: String,
    pub(crate) network: Network,
    pub(crate) hyperparameters: Map<String, Value>,
    pub(crate) seed: u64,
}

pub(super) const KIND: Kind = Kind::of_commands(run);

fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: DirectionsParameters = context.parameters()?;
    let (role, file) = BATCH;
    let batch = LabelledBatch::parse(&read(context.input(role, file)?)?, &parameters.network)
        .map_err(data)?;
    let mut learner = context.create_learner(LearnerSettings {
        algorithm: &parameters.algorithm,
        network: &parameters.network,
        hyperparameters: &parameters.hyperparameters,
        seed: parameters.seed,
    })?;
    let (role, file) = STATE;
    let own = learner
        .save()
        .map_err(|error| context.plugin_error("save its state", error))?;
    context.check_tensors(&parameters.network, "a state", &own)?;
    let state = match context.optional_input(role, file) {
        None => own,
        Some(path) => {
            let state = state::completed(&read(path)?, &own).map_err(data)?;
            learner
                .restore(&state)
                .map_err(|error| context.plugin_error("restore the state", error))?;
            state
        }
    };
    let directions = batch
        .with(|batch, noise| learner.directions(batch, noise))
        .map_err(|error| context.plugin_error("compute directions", error))?;
    context.check_tensors(&parameters.network, "directions", &directions)?;
    write(&context.out.join(DIRECTIONS), &directions)?;
    write(&context.out.join(file), &state)?;
    let mut outputs = Outputs::default();
    outputs.add(DIRECTIONS, SAFETENSORS);
    outputs.add(file, SAFETENSORS);
    Ok(outputs)
}

#[cfg(test)]
mod tests;
