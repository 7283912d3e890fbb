//! The kernels by name, and the forms of their arguments.

use std::ffi::c_void;
use std::ptr;

use tch::Tensor;

use super::Elements;

/// The language and the kernels, in the order in which they are compiled.
pub(super) const SOURCE: [&str; 8] = [
    include_str!("kernels/prelude.cuh"),
    include_str!("kernels/functions.cu"),
    include_str!("kernels/noise.cu"),
    include_str!("kernels/optimiser.cu"),
    include_str!("kernels/product.cu"),
    include_str!("kernels/samples.cu"),
    include_str!("kernels/sums.cu"),
    include_str!("kernels/watch.cu"),
];

macro_rules! kernels {
    ($($kernel:ident = $name:literal,)*) => {
        /// A kernel of [`SOURCE`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kernel {
            $($kernel,)*
        }

        impl Kernel {
            pub(super) const ALL: &[Self] = &[$(Self::$kernel,)*];

            /// Its name in the source.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$kernel => $name,)*
                }
            }
        }
    };
}

kernels! {
    ApplyFunction = "apply_function",
    MultiplyDerivative = "multiply_derivative",
    Softmax = "softmax",
    Normalise = "normalise",
    MultiplyJacobian = "multiply_jacobian",
    Normal = "normal",
    Adam = "adam",
    Descent = "descent",
    Product32 = "product_32",
    Product64 = "product_64",
    Product128 = "product_128",
    SumOverBatch = "sum_over_batch",
    SumsOfParts = "sums_of_parts",
    OverUnits = "over_units",
    NoteFirst = "note_first",
    TakeImages = "take_images",
    TakeLabels = "take_labels",
}

/// An argument of a kernel, in the form in which the kernel declares it.
#[derive(Clone, Copy)]
pub(crate) enum Argument {
    Pointer(*mut c_void),
    I64(i64),
    U64(u64),
    I32(i32),
    U32(u32),
    F32(f32),
    F64(f64),
    Floats6([f32; 6]),
    Product(super::product::OfKernel),
}

impl Argument {
    pub(crate) const NULL: Self = Self::Pointer(ptr::null_mut());

    /// A count or size.
    pub(crate) fn count(count: usize) -> Self {
        Self::I64(count as i64)
    }

    /// The memory of a tensor of any kind.
    pub(crate) fn of(tensor: &Tensor) -> Self {
        Self::Pointer(tensor.data_ptr())
    }

    pub(super) fn pointer(&mut self) -> *mut c_void {
        match self {
            Self::Pointer(it) => ptr::from_mut(it).cast(),
            Self::I64(it) => ptr::from_mut(it).cast(),
            Self::U64(it) => ptr::from_mut(it).cast(),
            Self::I32(it) => ptr::from_mut(it).cast(),
            Self::U32(it) => ptr::from_mut(it).cast(),
            Self::F32(it) => ptr::from_mut(it).cast(),
            Self::F64(it) => ptr::from_mut(it).cast(),
            Self::Floats6(it) => ptr::from_mut(it).cast(),
            Self::Product(it) => ptr::from_mut(it).cast(),
        }
    }
}

impl From<Elements<'_>> for Argument {
    fn from(elements: Elements<'_>) -> Self {
        Self::Pointer(elements.data.cast())
    }
}
