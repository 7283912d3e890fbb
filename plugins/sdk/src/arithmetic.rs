//! Arithmetic on activations and errors that is no layer's own.

use tch::Tensor;

use crate::error::Error;

/// `tensor ← factor · tensor`
pub fn scale(tensor: &Tensor, factor: f64) -> Result<(), Error> {
    tensor.shallow_clone().f_mul_scalar_(factor).map(drop)?;
    Ok(())
}
