//! Whether a tensor's values are numbers. It never says what to do where they are not.

use tch::Tensor;

use crate::error::Error;

/// Whether no value is infinite or not a number.
pub(crate) fn is_finite(tensor: &Tensor) -> Result<bool, Error> {
    if tensor.numel() == 0 {
        return Ok(true);
    }
    // One pass without temporaries; not-a-number spreads to both.
    let (smallest, largest) = tensor.f_aminmax(None, false)?;
    let finite = |bound: &Tensor| Ok::<_, Error>(bound.f_double_value(&[])?.is_finite());
    Ok(finite(&smallest)? && finite(&largest)?)
}
