//! Arithmetic on tensors that is no layer's own.

use tch::Tensor;

use crate::error::Error;
use crate::function::{self, Function};
use crate::layer::matrix::affine;
use crate::operand;

/// `tensor ← factor · tensor`
pub fn scale(tensor: &Tensor, factor: f64) -> Result<(), Error> {
    tensor.shallow_clone().f_mul_scalar_(factor).map(drop)?;
    Ok(())
}

/// `out = a + b`, element by element; all have one shape.
pub fn add(a: &Tensor, b: &Tensor, out: &Tensor) -> Result<(), Error> {
    a.f_add_out(out, b).map(drop)?;
    Ok(())
}

/// `out = a − b`, element by element; all have one shape.
pub fn subtract(a: &Tensor, b: &Tensor, out: &Tensor) -> Result<(), Error> {
    a.f_sub_out(out, b).map(drop)?;
    Ok(())
}

/// `out = a`; both have one shape.
pub fn copy(a: &Tensor, out: &Tensor) -> Result<(), Error> {
    out.shallow_clone().f_copy_(a).map(drop)?;
    Ok(())
}

/// `tensor ← 0`, whatever it held.
pub fn clear(tensor: &Tensor) -> Result<(), Error> {
    tensor.shallow_clone().f_zero_().map(drop)?;
    Ok(())
}

/// `tensor ← tanh(tensor)`, as the units of a layer compute it; it is contiguous.
///
/// # Errors
/// A tensor that is not contiguous or not of 32-bit floats.
#[track_caller]
pub fn tanh(tensor: &Tensor) -> Result<(), Error> {
    operand::size("a tensor", tensor, &|| "tanh is taken of it".to_owned())?;
    Function::Tanh.apply_to(tensor)
}

/// `tensor ← 1 / (1 + e^(−tensor))`; it is contiguous.
///
/// # Errors
/// A tensor that is not contiguous or not of 32-bit floats.
#[track_caller]
pub fn logistic(tensor: &Tensor) -> Result<(), Error> {
    let reason = || "the logistic function is taken of it".to_owned();
    operand::size("a tensor", tensor, &reason)?;
    function::logistic(tensor)
}

/// `out = M x`, from `matrix` (n, k) and `x` (k, N) into `out` (n, N); all are contiguous.
#[track_caller]
pub fn multiply(matrix: &Tensor, x: &Tensor, out: &Tensor) -> Result<(), Error> {
    let reason = || "a matrix is multiplied".to_owned();
    let [rows, columns] = operand::size("a matrix", matrix, &reason)?[..] else {
        return Err(operand::refused(
            "a matrix is multiplied: it has to have two axes",
            "",
        ));
    };
    let map = format_args!("a matrix of {rows} × {columns}");
    operand::mapped(map, [columns, rows], ("an input", x), out)?;
    affine(matrix, None, Function::Identity, x, out)
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
