//! A borrowed tensor: memory of one side, read by the other without a copy.

use std::ffi::c_void;
use std::marker::PhantomData;

use abi_stable::StableAbi;
use abi_stable::std_types::RSlice;

/// The element type of a tensor.
///
/// An integer rather than an enum, so that a code added later never breaks an older reader.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DType(pub u32);

impl DType {
    /// 32-bit IEEE 754.
    pub const F32: Self = Self(0);
    /// 64-bit signed integer.
    pub const I64: Self = Self(1);

    /// The size of one element in bytes, or `None` for a code that this version does not know.
    pub fn size(self) -> Option<usize> {
        match self {
            Self::F32 => Some(4),
            Self::I64 => Some(8),
            _ => None,
        }
    }
}

/// A tensor that the other side owns: start, element type, shape and strides (in elements).
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct TensorView<'a> {
    data: *const c_void,
    bytes: usize,
    dtype: DType,
    shape: RSlice<'a, i64>,
    strides: RSlice<'a, i64>,
    owner: PhantomData<&'a u8>,
}

/// A view that is not what its reader expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// Another element type.
    #[error("the tensor has element type code {found}, expected {expected}")]
    DType {
        /// The code found.
        found: u32,
        /// The code expected.
        expected: u32,
    },
    /// Shape, strides and memory do not agree.
    #[error(
        "a tensor of shape {shape:?} and strides {strides:?} does not describe {bytes} contiguous bytes"
    )]
    Layout {
        /// The shape claimed.
        shape: Vec<i64>,
        /// The strides claimed.
        strides: Vec<i64>,
        /// The memory given.
        bytes: usize,
    },
}

impl<'a> TensorView<'a> {
    /// A contiguous view of `values`. `strides` must be the row-major strides of `shape`
    /// (see [`TensorView::contiguous_strides`]), which the view borrows.
    pub fn f32(
        values: &'a [f32],
        shape: &'a [i64],
        strides: &'a [i64],
    ) -> Result<Self, TensorError> {
        Self::checked(values, DType::F32, shape, strides)
    }

    /// Like [`TensorView::f32`], for integers.
    pub fn i64(
        values: &'a [i64],
        shape: &'a [i64],
        strides: &'a [i64],
    ) -> Result<Self, TensorError> {
        Self::checked(values, DType::I64, shape, strides)
    }

    fn checked<T>(
        values: &'a [T],
        dtype: DType,
        shape: &'a [i64],
        strides: &'a [i64],
    ) -> Result<Self, TensorError> {
        let view = Self {
            data: values.as_ptr().cast(),
            bytes: size_of_val(values),
            dtype,
            shape: RSlice::from_slice(shape),
            strides: RSlice::from_slice(strides),
            owner: PhantomData,
        };
        view.check(dtype)?;
        Ok(view)
    }

    /// The row-major strides of `shape`, in elements.
    pub fn contiguous_strides(shape: &[i64]) -> Vec<i64> {
        let mut strides = vec![1_i64; shape.len()];
        for at in (1..shape.len()).rev() {
            strides[at - 1] = strides[at].saturating_mul(shape[at]);
        }
        strides
    }

    /// The sizes of the dimensions, outermost first.
    pub fn shape(&self) -> &'a [i64] {
        self.shape.as_slice()
    }

    /// The size of the first dimension: the number of samples of a batch.
    pub fn samples(&self) -> usize {
        self.shape().first().map_or(0, |&samples| samples as usize)
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The elements as 32-bit floats, row-major.
    pub fn as_f32(&self) -> Result<&'a [f32], TensorError> {
        let count = self.check(DType::F32)?;
        // SAFETY: `check` proved that the memory holds `count` aligned elements of this type,
        // every bit pattern is a valid f32, and `'a` borrows the owner.
        Ok(unsafe { elements(self.data.cast(), count) })
    }

    /// The elements as 64-bit integers, row-major.
    pub fn as_i64(&self) -> Result<&'a [i64], TensorError> {
        let count = self.check(DType::I64)?;
        // SAFETY: as in `as_f32`.
        Ok(unsafe { elements(self.data.cast(), count) })
    }

    /// Proves that the memory is `count` contiguous, aligned elements of `dtype`; returns `count`.
    fn check(&self, dtype: DType) -> Result<usize, TensorError> {
        if self.dtype != dtype {
            return Err(TensorError::DType {
                found: self.dtype.0,
                expected: dtype.0,
            });
        }
        let shape = self.shape();
        let count = shape.iter().try_fold(1_usize, |count, &size| {
            usize::try_from(size)
                .ok()
                .and_then(|size| count.checked_mul(size))
        });
        let size = dtype.size().unwrap_or(0);
        match count {
            Some(count)
                if count.checked_mul(size) == Some(self.bytes)
                    && self.strides.as_slice() == Self::contiguous_strides(shape)
                    && (self.data as usize).is_multiple_of(size.max(1)) =>
            {
                Ok(count)
            }
            _ => Err(TensorError::Layout {
                shape: shape.to_vec(),
                strides: self.strides.to_vec(),
                bytes: self.bytes,
            }),
        }
    }
}

/// # Safety
/// `data` points to `count` initialised elements that live and stay unchanged for `'a`.
unsafe fn elements<'a, T>(data: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(data, count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_gives_back_what_it_borrows() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let view = TensorView::f32(&values, &[2, 3], &[3, 1]).unwrap();
        assert_eq!(view.as_f32().unwrap(), values);
        assert_eq!(view.samples(), 2);
        assert!(matches!(view.as_i64(), Err(TensorError::DType { .. })));
    }

    #[test]
    fn shapes_that_do_not_fit_the_memory_are_refused() {
        let values = [0.0; 6];
        for (shape, strides) in [
            (vec![2, 4], vec![4, 1]),
            (vec![2, 3], vec![1, 2]),
            (vec![-2, -3], vec![-3, 1]),
            (vec![i64::MAX, i64::MAX], vec![i64::MAX, 1]),
        ] {
            assert!(
                TensorView::f32(&values, &shape, &strides).is_err(),
                "{shape:?}"
            );
        }
    }
}
