//! Completes a state that a person wrote: what decides no direction may be left out of it.

use safetensors::{SafeTensorError, SafeTensors};

/// Tensors that decide no direction: the optimiser's moments and counts, and the key and position
/// of the noise, which the seed decides as well.
const OPTIONAL: [&str; 2] = ["optimiser.", "noise."];

/// A state that cannot be completed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateError {
    #[error("the state cannot be read as safetensors")]
    Unreadable(#[source] SafeTensorError),
    #[error("the state that the plugin saved is not safetensors")]
    Saved(#[source] SafeTensorError),
}

/// `given` with those of the [`OPTIONAL`] tensors of `own`, the learner's own state, that it
/// lacks. Whatever else it lacks or has too much is for the learner to refuse.
pub(super) fn completed(given: &[u8], own: &[u8]) -> Result<Vec<u8>, StateError> {
    let given = SafeTensors::deserialize(given).map_err(StateError::Unreadable)?;
    let own = SafeTensors::deserialize(own).map_err(StateError::Saved)?;
    let names = given.names();
    let lacking = own.iter().filter(|(name, _)| {
        let optional = OPTIONAL.iter().any(|prefix| name.starts_with(prefix));
        optional && !names.contains(name)
    });
    let tensors: Vec<_> = given.iter().chain(lacking).collect();
    safetensors::serialize(tensors, None).map_err(StateError::Saved)
}
