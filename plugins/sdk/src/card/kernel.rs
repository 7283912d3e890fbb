//! The kernels by name, and the forms of their arguments.

use std::ffi::c_void;
use std::ptr;

use tch::Tensor;

use super::Elements;
use super::graph::hold;

/// The language and the kernels, in the order in which they are compiled.
pub(super) const SOURCE: [&str; 11] = [
    include_str!("kernels/prelude.cuh"),
    include_str!("kernels/arithmetic.cu"),
    include_str!("kernels/counts.cu"),
    include_str!("kernels/functions.cu"),
    include_str!("kernels/noise.cu"),
    include_str!("kernels/optimiser.cu"),
    include_str!("kernels/product.cu"),
    include_str!("kernels/readings.cu"),
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
    Elementwise = "elementwise",
    Advance = "advance",
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
    SumsOfRows = "sums_of_rows",
    Forget = "forget",
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
    Doubles4([f64; 4]),
    Steps3([i64; 3]),
    Count(super::counts::OfKernel),
    Advances([i64; 8]),
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
        hold(tensor);
        Self::Pointer(tensor.data_ptr())
    }

    /// An element of a contiguous tensor of any kind, which has to be among its elements.
    pub(crate) fn element(tensor: &Tensor, at: usize) -> Self {
        hold(tensor);
        let bytes = at * tensor.kind().elt_size_in_bytes();
        Self::Pointer(tensor.data_ptr().wrapping_byte_add(bytes))
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
            Self::Doubles4(it) => ptr::from_mut(it).cast(),
            Self::Steps3(it) => ptr::from_mut(it).cast(),
            Self::Count(it) => ptr::from_mut(it).cast(),
            Self::Advances(it) => ptr::from_mut(it).cast(),
            Self::Product(it) => ptr::from_mut(it).cast(),
        }
    }
}

impl PartialEq for Argument {
    /// True of the same bits.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pointer(a), Self::Pointer(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::I32(a), Self::I32(b)) => a == b,
            (Self::U32(a), Self::U32(b)) => a == b,
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::Doubles4(a), Self::Doubles4(b)) => a.map(f64::to_bits) == b.map(f64::to_bits),
            (Self::Steps3(a), Self::Steps3(b)) => a == b,
            (Self::Count(a), Self::Count(b)) => a == b,
            (Self::Advances(a), Self::Advances(b)) => a == b,
            (Self::Product(a), Self::Product(b)) => a == b,
            _ => false,
        }
    }
}

impl From<Elements<'_>> for Argument {
    fn from(elements: Elements<'_>) -> Self {
        Self::Pointer(elements.data.cast())
    }
}
