//! Arithmetic on elements on the current card.

use tch::Tensor;

use super::{Argument, Kernel, catch_up, current};
use crate::error::Error;

/// A function of the elements of up to two inputs, `a` and `b`.
#[derive(Clone, Copy)]
pub(crate) enum Elementwise {
    /// a
    Copy,
    /// a + b
    Sum,
    /// a − b
    Difference,
    /// factor · a
    Scaled(f64),
    /// 0
    Zero,
    /// a + factor · b
    AddScaled(f64),
    /// √a
    Root,
    /// a / divisor
    Divided(f64),
    /// factor · (a − b)
    ScaledDifference(f64),
}

impl Elementwise {
    /// Its number in the kernel, and its factor.
    fn of_kernel(self) -> [Argument; 2] {
        let (number, factor) = match self {
            Self::Copy => (0, 1.0),
            Self::Sum => (1, 1.0),
            Self::Difference => (2, 1.0),
            Self::Scaled(factor) => (3, factor),
            Self::Zero => (4, 1.0),
            Self::AddScaled(factor) => (5, factor),
            Self::Root => (6, 1.0),
            Self::Divided(divisor) => (7, divisor),
            Self::ScaledDifference(factor) => (8, factor),
        };
        [Argument::I32(number), Argument::F32(factor as f32)]
    }
}

/// Writes a function of `inputs` into `out`, which may be one of them; all have one shape. False if it is left to
/// libtorch: there is no current card, or one of them is not a matrix on it whose columns are neighbours. Then all that was
/// launched before is under way.
///
/// # Errors
/// Those of the card.
pub(crate) fn elementwise(
    operation: Elementwise,
    out: &Tensor,
    inputs: &[&Tensor],
) -> Result<bool, Error> {
    let Some(card) = current() else {
        return Ok(false);
    };
    let tensors = || [Some(out), inputs.first().copied(), inputs.get(1).copied()];
    let fits = |it: &Tensor| card.holds(it) && it.size() == out.size();
    let steps = if tensors().into_iter().flatten().all(fits) {
        steps(out, tensors())
    } else {
        None
    };
    let Some(([rows, columns], steps)) = steps else {
        catch_up()?;
        return Ok(false);
    };
    let [out, a, b] = tensors().map(|it| it.map_or(Argument::NULL, Argument::of));
    let [number, factor] = operation.of_kernel();
    let arguments = [
        out,
        a,
        b,
        Argument::I64(rows),
        Argument::I64(columns),
        Argument::Steps3(steps),
        number,
        factor,
    ];
    let count = (rows * columns) as usize;
    // SAFETY: all are matrices of so many rows and columns, whose rows lie apart by these steps. Each thread reads the
    // elements of its place before it writes there, and `out` shares memory with another place of an input only where
    // libtorch forbids it too.
    unsafe { card.each(Kernel::Elementwise, count, arguments) }?;
    Ok(true)
}

/// Rows and columns of `out`, and the steps from row to row of `tensors`, whose columns are neighbours in memory.
fn steps(out: &Tensor, tensors: [Option<&Tensor>; 3]) -> Option<([i64; 2], [i64; 3])> {
    if tensors.iter().flatten().all(|it| it.is_contiguous()) {
        return Some(([1, out.numel() as i64], [0; 3]));
    }
    let [rows, columns] = out.size()[..] else {
        return None;
    };
    let mut steps = [0; 3];
    for (step, tensor) in steps.iter_mut().zip(tensors) {
        let Some(tensor) = tensor else { continue };
        match tensor.stride()[..] {
            [row, 1] if row >= columns => *step = row,
            _ => return None,
        }
    }
    Some(([rows, columns], steps))
}
