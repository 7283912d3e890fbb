//! Arithmetic on tensors that is no layer's own.

use tch::Tensor;

use crate::card::{self, Elementwise};
use crate::error::Error;
use crate::function::{self, Function};
use crate::layer::matrix::affine;
use crate::operand;
use crate::tensor_slices::slices;

/// `tensor ← factor · tensor`
pub fn scale(tensor: &Tensor, factor: f64) -> Result<(), Error> {
    if !card::elementwise(Elementwise::Scaled(factor), tensor, &[tensor])? {
        tensor.shallow_clone().f_mul_scalar_(factor).map(drop)?;
    }
    Ok(())
}

/// `tensor ← tensor / divisor`, each quotient rounded once: on a card libtorch multiplies by the rounded reciprocal.
pub fn divide(tensor: &Tensor, divisor: f64) -> Result<(), Error> {
    if !card::elementwise(Elementwise::Divided(divisor), tensor, &[tensor])? {
        tensor.shallow_clone().f_div_scalar_(divisor).map(drop)?;
    }
    Ok(())
}

/// `out = a + b`, element by element; all have one shape.
pub fn add(a: &Tensor, b: &Tensor, out: &Tensor) -> Result<(), Error> {
    if !card::elementwise(Elementwise::Sum, out, &[a, b])? {
        a.f_add_out(out, b).map(drop)?;
    }
    Ok(())
}

/// `out = a − b`, element by element; all have one shape.
pub fn subtract(a: &Tensor, b: &Tensor, out: &Tensor) -> Result<(), Error> {
    if !card::elementwise(Elementwise::Difference, out, &[a, b])? {
        a.f_sub_out(out, b).map(drop)?;
    }
    Ok(())
}

/// `out = factor · (a − b)`, the difference rounded and then the product; all have one shape.
pub(crate) fn scaled_difference(
    a: &Tensor,
    b: &Tensor,
    factor: f64,
    out: &Tensor,
) -> Result<(), Error> {
    if !card::elementwise(Elementwise::ScaledDifference(factor), out, &[a, b])? {
        subtract(a, b, out)?;
        scale(out, factor)?;
    }
    Ok(())
}

/// `out = a`; both have one shape.
pub fn copy(a: &Tensor, out: &Tensor) -> Result<(), Error> {
    if !card::elementwise(Elementwise::Copy, out, &[a])? {
        out.shallow_clone().f_copy_(a).map(drop)?;
    }
    Ok(())
}

/// `tensor ← tensor + factor · term`, the product rounded and then the sum; both have one shape.
pub(crate) fn add_scaled(tensor: &Tensor, factor: f64, term: &Tensor) -> Result<(), Error> {
    if !card::elementwise(Elementwise::AddScaled(factor), tensor, &[tensor, term])? {
        let scaled = term.f_mul_scalar(factor)?;
        tensor.shallow_clone().f_add_(&scaled).map(drop)?;
    }
    Ok(())
}

/// `tensor ← 0`, whatever it held.
pub fn clear(tensor: &Tensor) -> Result<(), Error> {
    if !card::elementwise(Elementwise::Zero, tensor, &[])? {
        tensor.shallow_clone().f_zero_().map(drop)?;
    }
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

/// `tensor ← √tensor`, each root rounded to the nearest, which libtorch's are not on every processor; it is contiguous.
///
/// # Errors
/// A tensor that is not contiguous or not of 32-bit floats.
#[track_caller]
pub fn root(tensor: &Tensor) -> Result<(), Error> {
    operand::size("a tensor", tensor, &|| "its root is taken".to_owned())?;
    if card::elementwise(Elementwise::Root, tensor, &[tensor])? {
        return Ok(());
    }
    // SAFETY: only this function uses the slice.
    match unsafe { slices(tensor, []) }? {
        Some((values, [])) => values.iter_mut().for_each(|it| *it = it.sqrt()),
        None => tensor.shallow_clone().f_sqrt_().map(drop)?,
    }
    Ok(())
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
    card::catch_up()?;
    // One pass without temporaries; not-a-number spreads to both.
    let (smallest, largest) = tensor.f_aminmax(None, false)?;
    card::finish()?;
    let finite = |bound: &Tensor| Ok::<_, Error>(bound.f_double_value(&[])?.is_finite());
    Ok(finite(&smallest)? && finite(&largest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_rounded_to_the_nearest() {
        let values: Vec<_> = (0..20_000_u32)
            .map(|at| f32::from_bits(at.wrapping_mul(0x9e37_79b9) >> 1))
            .filter(|it| it.is_finite())
            .collect();
        let tensor = Tensor::from_slice(&values);
        root(&tensor).unwrap();
        let found = Vec::<f32>::try_from(tensor).unwrap();
        for (value, found) in values.iter().zip(found) {
            // A root of 53 bits, rounded to 24, is rounded as if at once.
            let expected = f64::from(*value).sqrt() as f32;
            assert_eq!(found.to_bits(), expected.to_bits(), "of {value:e}");
        }
    }
}
