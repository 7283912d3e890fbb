//! Summary of named tensors in a few figures, for a person to read.

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

/// One tensor in figures. A value that is not a number makes every figure one.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
    /// The Euclidean norm of its values.
    pub norm: f64,
    /// Their mean; 0 where there are none.
    pub mean: f64,
    /// The largest magnitude among them.
    pub max: f64,
}

/// Bytes that are no tensors of 32-bit floats.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTensors {
    /// They are not safetensors.
    #[error("the directions cannot be read as safetensors")]
    Unreadable(#[from] SafeTensorError),
    /// A tensor has another element type.
    #[error("tensor `{name}` of the directions is {dtype}, expected F32")]
    Type {
        /// Its name.
        name: String,
        /// Its element type.
        dtype: Dtype,
    },
}

/// The figures of every tensor, by name; sums are taken in 64 bits.
///
/// # Errors
/// See [`InvalidTensors`].
pub fn summarise(bytes: &[u8]) -> Result<Vec<TensorSummary>, InvalidTensors> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let mut summaries = tensors
        .iter()
        .map(|(name, tensor)| summary(name, &tensor))
        .collect::<Result<Vec<_>, _>>()?;
    summaries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(summaries)
}

fn summary(name: &str, tensor: &TensorView<'_>) -> Result<TensorSummary, InvalidTensors> {
    if tensor.dtype() != Dtype::F32 {
        return Err(InvalidTensors::Type {
            name: name.to_owned(),
            dtype: tensor.dtype(),
        });
    }
    let (words, _) = tensor.data().as_chunks::<4>();
    let (mut sum, mut squares, mut max) = (0.0, 0.0, 0.0_f64);
    for &word in words {
        let value = f64::from(f32::from_le_bytes(word));
        sum += value;
        squares += value * value;
        // `f64::max` would pass over what is not a number.
        if value.is_nan() || value.abs() > max {
            max = value.abs();
        }
    }
    let count = words.len().max(1) as f64;
    Ok(TensorSummary {
        name: name.to_owned(),
        shape: tensor.shape().to_vec(),
        norm: f64::sqrt(squares),
        mean: sum / count,
        max,
    })
}
