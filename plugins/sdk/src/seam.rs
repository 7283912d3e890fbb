//! The only place where memory passes between Rust slices and libtorch tensors without a copy.

use tch::{Device, Kind, Tensor};

use crate::error::Error;

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

/// The elements of contiguous `f32` tensors in main memory, the first to be written; `None` if one
/// is anything else.
///
/// # Safety
/// While the slices live, nothing uses a tensor that shares storage with `out`, and nothing writes
/// to one that shares storage with `inputs`.
// A tensor is a handle to memory, and libtorch writes through shared ones as well.
#[allow(clippy::mut_from_ref)]
pub(crate) unsafe fn operands<'a, const N: usize>(
    out: &'a Tensor,
    inputs: [&'a Tensor; N],
) -> Option<(&'a mut [f32], [&'a [f32]; N])> {
    let mut slices: [&[f32]; N] = [&[]; N];
    for (slice, input) in slices.iter_mut().zip(inputs) {
        let (data, count) = plain(input)?;
        // SAFETY: `plain` found that many elements; that nothing writes is promised.
        *slice = unsafe { std::slice::from_raw_parts(data, count) };
    }
    let (data, count) = plain(out)?;
    // SAFETY: `plain` found that many elements; exclusiveness is promised.
    Some((
        unsafe { std::slice::from_raw_parts_mut(data, count) },
        slices,
    ))
}

/// The elements of a contiguous `f32` tensor in main memory; `None` for any other tensor.
///
/// # Safety
/// While the slice lives, nothing uses another tensor that shares this one's storage.
pub(crate) unsafe fn elements_mut(tensor: &mut Tensor) -> Option<&mut [f32]> {
    let (data, count) = plain(tensor)?;
    // SAFETY: `plain` found that many elements; exclusiveness is promised.
    Some(unsafe { std::slice::from_raw_parts_mut(data, count) })
}

/// Where the elements of a contiguous `f32` tensor in main memory lie, and how many there are; they
/// live as long as the tensor. `None` for any other tensor.
fn plain(tensor: &Tensor) -> Option<(*mut f32, usize)> {
    let plain = tensor.device() == Device::Cpu
        && tensor.f_kind().is_ok_and(|kind| kind == Kind::Float)
        && tensor.is_contiguous();
    let count = tensor.numel();
    // An empty tensor may have no memory at all.
    let empty = std::ptr::NonNull::dangling().as_ptr();
    plain.then(|| {
        (
            if count == 0 {
                empty
            } else {
                tensor.data_ptr().cast()
            },
            count,
        )
    })
}
