//! Checks of the tensors that an algorithm hands over, before anything is computed from them.
//!
//! The products read and write memory through slices, where a tensor of another shape would be
//! another result and no error. Whoever is refused learns which shape was expected and why, what was
//! given, and on which line of the algorithm.

use std::fmt::Display;
use std::ops::Range;
use std::panic::Location;

use assay_abi::{ErrorCode, PluginError};
use tch::{Kind, Tensor};

use crate::error::Error;

/// B of `tensor`, which has to be (`rows`, B) as `reason` says; `role` is its part in the operation,
/// with its article.
#[track_caller]
pub(crate) fn columns(
    role: &str,
    tensor: &Tensor,
    rows: i64,
    reason: impl Fn() -> String,
) -> Result<i64, Error> {
    let found = size(role, tensor, &reason)?;
    match found[..] {
        [found, columns] if found == rows && columns > 0 => Ok(columns),
        _ => Err(unfit(role, &format!("{rows} × B"), &found, reason)),
    }
}

/// Refuses a `tensor` of any shape but the `expected` one, which is so for the `reason` given;
/// `role` is its part in the operation, with its article.
#[track_caller]
pub(crate) fn shape(
    role: &str,
    tensor: &Tensor,
    expected: &[i64],
    reason: impl Fn() -> String,
) -> Result<(), Error> {
    let found = size(role, tensor, &reason)?;
    if found == expected {
        return Ok(());
    }
    Err(unfit(role, &by(expected), &found, reason))
}

/// Refuses what `map` cannot turn from (`inputs`, B) in `from` to (`outputs`, B) in `to`; `role` is
/// the part of `from`, with its article.
#[track_caller]
pub(crate) fn mapped(
    map: impl Display,
    [inputs, outputs]: [i64; 2],
    (role, from): (&str, &Tensor),
    to: &Tensor,
) -> Result<(), Error> {
    let takes = || format!("{map} takes {inputs} values of each sample");
    let samples = columns(role, from, inputs, takes)?;
    let gives = || format!("{map} gives {outputs} values for each of {samples} samples");
    shape("an output", to, &[outputs, samples], gives)
}

/// Refuses an output that lies, even in part, where an input lies: the input would change while it
/// is read. Of tensors with gaps between their elements the gaps count as theirs.
#[track_caller]
pub(crate) fn refuse_overlap<const N: usize>(
    out: &Tensor,
    inputs: [&Tensor; N],
) -> Result<(), Error> {
    refuse_common_memory(&extent(out), &inputs.map(extent))
}

/// As [`refuse_overlap`], of addresses.
#[track_caller]
pub(crate) fn refuse_common_memory<A: PartialOrd, const N: usize>(
    written: &Range<A>,
    read: &[Range<A>; N],
) -> Result<(), Error> {
    let overlaps = |read: &Range<A>| written.start < read.end && read.start < written.end;
    if read.iter().any(overlaps) {
        return Err(refused(
            "an output shares memory with a tensor that it is computed from",
            "write to a buffer of its own, such as `pass.scratch(l)` of another layer",
        ));
    }
    Ok(())
}

/// The addresses of a tensor's memory, from its first element to past its last.
pub(crate) fn extent(tensor: &Tensor) -> Range<usize> {
    let begin = tensor.data_ptr() as usize;
    let bytes = tensor.f_kind().map_or(1, Kind::elt_size_in_bytes);
    if tensor.is_contiguous() {
        return begin..begin.saturating_add(tensor.numel() * bytes);
    }
    let axes = tensor.size().into_iter().zip(tensor.stride());
    let last = axes.map(|(size, stride)| (size - 1).saturating_mul(stride));
    let last = last.fold(0_i64, i64::saturating_add);
    let elements = if tensor.numel() == 0 {
        0
    } else {
        last as usize + 1
    };
    begin..begin.saturating_add(elements.saturating_mul(bytes))
}

/// The error of a tensor with gaps, of which an operation needs the elements alone.
#[track_caller]
pub(crate) fn refused_for_gaps() -> Error {
    refused(
        "the elements of a tensor do not lie one after another",
        "copy it into a contiguous one",
    )
}

/// An error of a tensor or an index that does not fit, with the line of the algorithm.
#[track_caller]
pub(crate) fn refused(message: impl Display, help: &str) -> Error {
    let place = Location::caller();
    let error = PluginError::new(ErrorCode::SHAPE, format!("{message} ({place})"));
    Error::Plugin(error.with_help(help))
}

/// The shape of `tensor`, which has to be of 32-bit floats that lie one after another.
#[track_caller]
pub(crate) fn size(
    role: &str,
    tensor: &Tensor,
    reason: &impl Fn() -> String,
) -> Result<Vec<i64>, Error> {
    let kind = tensor.f_kind();
    if !matches!(kind, Ok(Kind::Float)) {
        let found = kind.map_or_else(|_| "none".to_owned(), |kind| format!("{kind:?}"));
        let message = format!(
            "{}: expected {role} of 32-bit floats, got {found}",
            reason()
        );
        return Err(refused(message, "`to_kind(Kind::Float)` converts a tensor"));
    }
    if !tensor.is_contiguous() {
        let message = format!(
            "{}: expected {role} whose rows lie one after another in memory, got strides {:?}",
            reason(),
            tensor.stride()
        );
        return Err(refused(message, "`contiguous()` makes such a copy"));
    }
    Ok(tensor.size())
}

#[track_caller]
fn unfit(role: &str, expected: &str, found: &[i64], reason: impl Fn() -> String) -> Error {
    let (reason, found) = (reason(), by(found));
    let message = format!("{reason}: expected {role} of {expected}, got {found}");
    refused(message, "")
}

/// The sizes of a shape, as `10 × 32`.
fn by(size: &[i64]) -> String {
    let sizes: Vec<_> = size.iter().map(i64::to_string).collect();
    match sizes[..] {
        [] => "a single number".to_owned(),
        _ => sizes.join(" × "),
    }
}
