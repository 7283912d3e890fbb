//! The kernels by name, and the forms of their arguments.

use std::ffi::c_void;
use std::ops::Range;
use std::ptr;

use tch::Tensor;

use super::Elements;
use super::graph::hold;
use crate::operand;

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
    ($($kernel:ident = $name:literal writes [$($written:literal),*],)*) => {
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

            /// True if it writes where the argument at a place, from 0, points.
            pub(super) fn writes(self, argument: usize) -> bool {
                let written: &[usize] = match self {
                    $(Self::$kernel => &[$($written),*],)*
                };
                written.contains(&argument)
            }
        }
    };
}

kernels! {
    Elementwise = "elementwise" writes [0],
    Advance = "advance" writes [0],
    ApplyFunction = "apply_function" writes [0],
    MultiplyDerivative = "multiply_derivative" writes [0],
    Softmax = "softmax" writes [0, 2],
    Normalise = "normalise" writes [0, 1],
    MultiplyJacobian = "multiply_jacobian" writes [0],
    Normal = "normal" writes [0],
    Adam = "adam" writes [0, 2, 3, 7],
    Descent = "descent" writes [0, 2, 6],
    Product16 = "product_16" writes [0],
    Product32 = "product_32" writes [0],
    Product64 = "product_64" writes [0],
    Product128 = "product_128" writes [0],
    SumOverBatch = "sum_over_batch" writes [0],
    SumsOfParts = "sums_of_parts" writes [0],
    OverUnits = "over_units" writes [0, 3],
    NoteFirst = "note_first" writes [0],
    SumsOfRows = "sums_of_rows" writes [0],
    Forget = "forget" writes [0, 2],
    TakeImages = "take_images" writes [0],
    TakeLabels = "take_labels" writes [0],
}

/// An argument of a kernel, in the form in which the kernel declares it.
#[derive(Clone, Copy)]
pub(crate) enum Argument {
    Pointer(Memory),
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

/// A pointer, and the memory around it that a kernel may touch.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pointer: *mut c_void,
    /// Addresses.
    begin: usize,
    end: usize,
}

impl Argument {
    pub(crate) const NULL: Self = Self::Pointer(Memory {
        pointer: ptr::null_mut(),
        begin: 0,
        end: 0,
    });

    /// A count or size.
    pub(crate) fn count(count: usize) -> Self {
        Self::I64(count as i64)
    }

    /// The memory of a tensor of any kind.
    pub(crate) fn of(tensor: &Tensor) -> Self {
        Self::element(tensor, 0)
    }

    /// An element of a contiguous tensor of any kind, which has to be among its elements.
    pub(crate) fn element(tensor: &Tensor, at: usize) -> Self {
        hold(tensor);
        let bytes = at * tensor.kind().elt_size_in_bytes();
        let Range { start, end } = operand::extent(tensor);
        Self::Pointer(Memory {
            pointer: tensor.data_ptr().wrapping_byte_add(bytes),
            begin: start,
            end,
        })
    }

    /// The addresses that a kernel may touch through it.
    pub(super) fn memory(&self) -> Option<Range<usize>> {
        match self {
            Self::Pointer(Memory { begin, end, .. }) => Some(*begin..*end),
            Self::Count(count) => Some(count.memory()),
            _ => None,
        }
    }

    pub(super) fn pointer(&mut self) -> *mut c_void {
        match self {
            Self::Pointer(it) => (&raw mut it.pointer).cast(),
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
        let Range { start, end } = elements.memory();
        Self::Pointer(Memory {
            pointer: elements.data.cast(),
            begin: start as usize,
            end: end as usize,
        })
    }
}
