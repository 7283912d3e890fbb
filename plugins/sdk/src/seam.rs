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

/// The elements of a contiguous `f32` tensor in main memory; `None` for any other tensor.
///
/// # Safety
/// While the slice lives, nothing uses another tensor that shares this one's storage.
pub(crate) unsafe fn elements_mut(tensor: &mut Tensor) -> Option<&mut [f32]> {
    let plain = tensor.device() == Device::Cpu
        && tensor.f_kind().is_ok_and(|kind| kind == Kind::Float)
        && tensor.is_contiguous();
    if !plain {
        return None;
    }
    let count = tensor.numel();
    if count == 0 {
        return Some(&mut []);
    }
    // SAFETY: a contiguous tensor holds `numel` aligned elements from `data_ptr` on, and lives
    // as long as the borrow; exclusiveness is promised by the caller.
    Some(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), count) })
}
