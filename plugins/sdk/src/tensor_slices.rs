//! The only place where memory passes between Rust slices and libtorch tensors without a copy.

use std::cell::Cell;
use std::ptr::NonNull;

use tch::{Device, Kind, Tensor};

use crate::card;
use crate::error::Error;
use crate::operand::{refuse_common_memory, refuse_overlap, refused_for_gaps};

/// Copies `source` into the contiguous or strided `target` of as many elements, row-major.
pub(crate) fn copy_f32(target: &Tensor, source: &[f32]) -> Result<(), Error> {
    // SAFETY: the blob is read inside this call only, during which `source` is borrowed.
    let blob = unsafe { blob(source.as_ptr().cast(), target, Kind::Float, source.len())? };
    target.shallow_clone().f_copy_(&blob)?;
    Ok(())
}

/// Copies `source` into `target` of as many elements, row-major.
pub(crate) fn copy_i64(target: &Tensor, source: &[i64]) -> Result<(), Error> {
    // SAFETY: as in `copy_f32`.
    let blob = unsafe { blob(source.as_ptr().cast(), target, Kind::Int64, source.len())? };
    target.shallow_clone().f_copy_(&blob)?;
    Ok(())
}

/// A tensor over `count` elements at `data`, in the shape of `target`.
///
/// # Safety
/// `data` points to `count` initialised elements of `kind` that outlive the tensor returned.
unsafe fn blob(
    data: *const u8,
    target: &Tensor,
    kind: Kind,
    count: usize,
) -> Result<Tensor, Error> {
    let size = target.size();
    if target.numel() != count {
        return Err(Error::new(
            assay_abi::ErrorCode::SHAPE,
            format!("{count} values do not fill a tensor of shape {size:?}"),
        ));
    }
    // SAFETY: `size` describes exactly `count` elements; the rest is promised by the caller.
    Ok(unsafe { Tensor::f_from_blob(data, &size, &[], kind, Device::Cpu)? })
}

/// An output and the inputs that it is computed from.
pub(crate) type Slices<'a, const N: usize> = (&'a mut [f32], [&'a [f32]; N]);

/// The elements of contiguous `f32` tensors in main memory, the first to be written; `None` if one
/// is anything else.
///
/// # Errors
/// `out` shares memory with one of `inputs`, wherever they lie; or one of them is of `f32` in main memory and
/// not contiguous.
///
/// # Safety
/// While the slices live, nothing else uses the elements of `out`, and nothing writes to those of
/// `inputs`.
// A tensor is a handle to memory, and libtorch writes through shared ones as well.
#[allow(clippy::mut_from_ref)]
#[track_caller]
pub(crate) unsafe fn slices<'a, const N: usize>(
    out: &'a Tensor,
    inputs: [&'a Tensor; N],
) -> Result<Option<Slices<'a, N>>, Error> {
    // SAFETY: nothing is written before it is known that none of the elements is one of `out`; that nothing else writes is
    // promised.
    let (Some(read), Some((data, count))) = (unsafe { read(inputs) }, raw_parts(out)) else {
        refuse_overlap(out, inputs)?;
        let mut all = inputs.into_iter().chain([out]);
        if all.any(|it| is_ours(it) && !it.is_contiguous()) {
            // Left to libtorch, its bits would depend on the processor.
            return Err(refused_for_gaps());
        }
        return Ok(None);
    };
    let written = data.cast_const()..data.wrapping_add(count).cast_const();
    refuse_common_memory(&written, &read.map(<[f32]>::as_ptr_range))?;
    // SAFETY: `raw_parts` found that many elements, none of them one of `inputs`; that nothing else
    // uses them is promised.
    let out = unsafe { std::slice::from_raw_parts_mut(data, count) };
    Ok(Some((out, read)))
}

/// The elements of contiguous `f32` tensors in main memory; `None` if one is anything else.
///
/// # Safety
/// While the slices live, nothing writes to the elements.
pub(crate) unsafe fn read<const N: usize>(inputs: [&Tensor; N]) -> Option<[&[f32]; N]> {
    let mut read: [&[f32]; N] = [&[]; N];
    for (slice, input) in read.iter_mut().zip(inputs) {
        let (data, count) = raw_parts(input)?;
        // SAFETY: `raw_parts` found that many elements; that nothing writes is promised.
        *slice = unsafe { std::slice::from_raw_parts(data, count) };
    }
    Some(read)
}

/// The elements of a contiguous `f32` tensor in main memory; `None` for any other tensor.
///
/// # Safety
/// While the slice lives, nothing uses another tensor that shares this one's storage.
pub(crate) unsafe fn elements_mut(tensor: &mut Tensor) -> Option<&mut [f32]> {
    let (data, count) = raw_parts(tensor)?;
    // SAFETY: `raw_parts` found that many elements; exclusiveness is promised.
    Some(unsafe { std::slice::from_raw_parts_mut(data, count) })
}

/// The number of a scalar `i64` tensor in main memory.
///
/// # Errors
/// Any other tensor.
pub(crate) fn number(tensor: &Tensor) -> Result<&Cell<i64>, Error> {
    let data = NonNull::new(tensor.data_ptr().cast::<Cell<i64>>());
    let is_number = tensor.device() == Device::Cpu
        && tensor.f_kind().is_ok_and(|kind| kind == Kind::Int64)
        && tensor.numel() == 1;
    match data.filter(|_| is_number) {
        // SAFETY: there is one number, as long as the tensor lives; a learner is called on one thread at a time, and whoever
        // else has the memory reads and writes it as a whole.
        Some(data) => Ok(unsafe { data.as_ref() }),
        None => Err(Error::new(
            assay_abi::ErrorCode::SHAPE,
            "a counter is no single number in main memory",
        )),
    }
}

/// True for `f32` tensors in main memory, with which the SDK computes itself. What is on a card is not, also where
/// the card is emulated.
fn is_ours(tensor: &Tensor) -> bool {
    let is_on_card = card::current().is_some_and(|card| card.device() == tensor.device());
    let kind = tensor.f_kind();
    tensor.device() == Device::Cpu && !is_on_card && kind.is_ok_and(|kind| kind == Kind::Float)
}

/// Address and number of the elements of a contiguous `f32` tensor in main memory; they live as long
/// as the tensor. `None` for any other tensor.
fn raw_parts(tensor: &Tensor) -> Option<(*mut f32, usize)> {
    let is_plain = is_ours(tensor) && tensor.is_contiguous();
    let count = tensor.numel();
    if !is_plain || count == 0 {
        // An empty tensor may have no memory at all.
        return is_plain.then(|| (NonNull::dangling().as_ptr(), 0));
    }
    // Neither has one of which libtorch knows that every element is zero.
    let data = NonNull::new(tensor.data_ptr().cast::<f32>())?;
    Some((data.as_ptr(), count))
}
