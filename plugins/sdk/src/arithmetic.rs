//! Arithmetic on tensors that is no layer's own.

use tch::Tensor;

use crate::error::Error;

/// `tensor ← factor · tensor`
pub fn scale(tensor: &Tensor, factor: f64) -> Result<(), Error> {
    tensor.shallow_clone().f_mul_scalar_(factor).map(drop)?;
    Ok(())
}

/// True if no value is infinite or not a number.
pub(crate) fn is_finite(tensor: &Tensor) -> Result<bool, Error> {
    if tensor.numel() == 0 {
        return Ok(true);
    }
    // One pass without temporaries; not-a-number spreads to both.
    let (smallest, largest) = tensor.f_aminmax(None, false)?;
    let finite = |bound: &Tensor| Ok::<_, Error>(bound.f_double_value(&[])?.is_finite());
    Ok(finite(&smallest)? && finite(&largest)?)
}
