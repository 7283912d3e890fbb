//! Saved states as safetensors.

use std::collections::BTreeMap;

use assay_abi::{ErrorCode, PluginError};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// Named tensors of 32-bit floats.
pub(crate) type Named<'a> = BTreeMap<String, &'a mut Vec<f32>>;

pub(crate) fn save(tensors: BTreeMap<String, &[f32]>) -> Result<Vec<u8>, PluginError> {
    let bytes: Vec<_> = tensors
        .into_iter()
        .map(|(name, values)| {
            let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
            (name, values.len(), bytes)
        })
        .collect();
    let views = bytes.iter().map(|(name, count, bytes)| {
        let view =
            TensorView::new(Dtype::F32, vec![*count], bytes).map_err(|error| unfit(&error))?;
        Ok((name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<Result<_, PluginError>>()?;
    safetensors::serialize(views, None).map_err(|error| unfit(&error))
}

/// Puts a saved state back, wholly or not at all.
pub(crate) fn restore(bytes: &[u8], mut tensors: Named<'_>) -> Result<(), PluginError> {
    let saved = SafeTensors::deserialize(bytes).map_err(|error| unfit(&error))?;
    let fits = tensors.iter().all(|(name, values)| {
        saved
            .tensor(name)
            .is_ok_and(|tensor| tensor.data().len() == 4 * values.len())
    });
    if !fits || saved.len() != tensors.len() {
        return Err(PluginError::new(
            ErrorCode::STATE,
            "the state is that of another network or algorithm",
        ));
    }
    for (name, values) in &mut tensors {
        let tensor = saved.tensor(name).map_err(|error| unfit(&error))?;
        let (words, _) = tensor.data().as_chunks::<4>();
        **values = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
    }
    Ok(())
}

fn unfit(error: &safetensors::SafeTensorError) -> PluginError {
    PluginError::new(
        ErrorCode::STATE,
        format!("the state is not safetensors: {error}"),
    )
}
