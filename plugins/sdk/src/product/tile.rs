//! The inner loops: one tile of a product, its sums in registers from start to end.

// Inlined into functions that are compiled for wider vectors.
#![allow(clippy::inline_always)]

use super::ahead::{Ahead, Fetching};
use super::lanes::{Lanes, Portable};
use super::{Product, Start, Term};
#[cfg(target_arch = "x86_64")]
use crate::instructions;

/// Terms of a sum between two times that something is fetched.
const STEPS: usize = 16;

/// A product whose operands are known to hold every element it touches.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub(super) product: &'a Product,
    pub(super) out: *mut f32,
    pub(super) a: *const f32,
    pub(super) b: *const f32,
    pub(super) terms: &'a [Term],
    pub(super) start: Start<'a>,
    pub(super) ahead: Ahead<'a>,
}

/// Computes a product.
///
/// # Safety
/// Every element that the product touches in `out`, `a` and `b` exists, nothing else uses `out`,
/// and [`Start::Rows`] has a value for each row.
pub(super) type Kernel = unsafe fn(Operands<'_>);

/// The kernels that may run here, that with the widest vectors first.
pub(super) fn kernels() -> impl Iterator<Item = Kernel> {
    #[cfg(target_arch = "x86_64")]
    let wide = [
        instructions::has_avx512().then_some(avx512 as Kernel),
        instructions::has_avx2().then_some(avx2 as Kernel),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let wide = [None];
    wide.into_iter().flatten().chain([portable as Kernel])
}

/// # Safety
/// See [`Kernel`].
unsafe fn portable(operands: Operands<'_>) {
    // SAFETY: promised by the caller.
    unsafe { tiles::<Portable, 4, 2>(operands) }
}

/// # Safety
/// See [`Kernel`]; the processor has the instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(operands: Operands<'_>) {
    use std::arch::x86_64::__m512;
    // Sums take 24 of 32 registers. Rows of A that lie apart by a multiple of 4096 bytes meet in one set of the
    // cache nearest to the processor: of eight places there six rows leave some to B.
    // SAFETY: this function has the instructions; the rest is promised by the caller.
    unsafe { tiles::<__m512, { super::TILE_ROWS }, 4>(operands) }
}

/// # Safety
/// See [`Kernel`]; the processor has the instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(operands: Operands<'_>) {
    // SAFETY: this function has the instructions; the rest is promised by the caller.
    unsafe { tiles::<std::arch::x86_64::__m256, 6, 2>(operands) }
}

/// Covers the product with tiles of at most `HEIGHT` rows, and of `WIDTH` vectors where there are as many columns.
///
/// # Safety
/// See [`Kernel`]; the processor has the instructions of `V`.
#[inline(always)]
unsafe fn tiles<V: Lanes, const HEIGHT: usize, const WIDTH: usize>(operands: Operands<'_>) {
    let Product {
        rows,
        columns,
        depth,
        ..
    } = *operands.product;
    let parts_of_sums = operands.terms.len() * depth.div_ceil(STEPS);
    let times = rows.div_ceil(HEIGHT) * columns.div_ceil(WIDTH * V::COUNT) * parts_of_sums;
    let mut fetching = Fetching::new(operands.ahead, times);
    // Evenly: a tile of few rows would wait for each of its sums.
    let most = rows.div_ceil(rows.div_ceil(HEIGHT).max(1)).max(1);
    for row in (0..rows).step_by(most) {
        let height = most.min(rows - row);
        let mut column = 0;
        while column < columns {
            let left = columns - column;
            let place = |width| Place {
                row,
                column,
                height,
                width,
            };
            // SAFETY: the tile lies within the product.
            unsafe {
                if WIDTH > 2 && left >= WIDTH * V::COUNT {
                    of_height::<V, WIDTH, HEIGHT>(operands, place(V::COUNT), &mut fetching);
                    column += WIDTH * V::COUNT;
                } else if left >= 2 * V::COUNT {
                    of_height::<V, 2, HEIGHT>(operands, place(V::COUNT), &mut fetching);
                    column += 2 * V::COUNT;
                } else {
                    let width = left.min(V::COUNT);
                    of_height::<V, 1, HEIGHT>(operands, place(width), &mut fetching);
                    column += width;
                }
            }
        }
    }
}

/// The place of a tile in a product.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    column: usize,
    height: usize,
    /// The columns of its last vector.
    width: usize,
}

/// The tile of `VECTORS` vectors at a place.
///
/// # Safety
/// As for [`tiles`]; the tile lies within the product.
#[inline(always)]
unsafe fn of_height<V: Lanes, const VECTORS: usize, const HEIGHT: usize>(
    operands: Operands<'_>,
    place: Place,
    fetching: &mut Fetching<'_>,
) {
    macro_rules! of_height {
        ($($rows:literal)*) => {
            match place.height {
                // SAFETY: promised by the caller. The comparison with a constant spares the code
                // of tiles that this instruction set never uses.
                $($rows if $rows <= HEIGHT => unsafe {
                    if place.width == V::COUNT {
                        tile::<V, $rows, VECTORS, true>(operands, place, fetching)
                    } else {
                        tile::<V, $rows, VECTORS, false>(operands, place, fetching)
                    }
                },)*
                _ => {}
            }
        };
    }
    of_height!(1 2 3 4 5 6);
}

/// # Safety
/// As for [`of_height`]; `WHOLE` says that every vector has all its columns.
// Loops over constant ranges are what the compiler unrolls, so that the sums stay in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn tile<V: Lanes, const HEIGHT: usize, const VECTORS: usize, const WHOLE: bool>(
    operands: Operands<'_>,
    place: Place,
    fetching: &mut Fetching<'_>,
) {
    // Copies, and multiplications without a check: both would be repeated in every inner loop.
    let Product {
        depth,
        a_row,
        a_depth,
        b_depth,
        out_row,
        ..
    } = *operands.product;
    let Place {
        row, column, width, ..
    } = place;
    let out = operands.out.wrapping_add(row * out_row + column);
    let element =
        |i: usize, j: usize| out.wrapping_add(i.wrapping_mul(out_row).wrapping_add(j * V::COUNT));
    let a = operands.a.wrapping_add(row * a_row);
    let b = operands.b.wrapping_add(column);
    // SAFETY: promised by the caller: every address below is of an element of an operand.
    unsafe {
        let load = |from: *const f32| {
            if WHOLE {
                V::load(from)
            } else {
                V::load_first(from, width)
            }
        };
        let mut sums = [[V::splat(0.0); VECTORS]; HEIGHT];
        match operands.start {
            Start::Zero => {}
            Start::Rows(values) => {
                let values = values.as_ptr().wrapping_add(row);
                for i in 0..HEIGHT {
                    sums[i] = [V::splat(*values.wrapping_add(i)); VECTORS];
                }
            }
            Start::Out => {
                for i in 0..HEIGHT {
                    for j in 0..VECTORS {
                        sums[i][j] = load(element(i, j));
                    }
                }
            }
        }
        for term in operands.terms {
            let mut a = a.wrapping_add(term.a);
            let mut b = b.wrapping_add(term.b);
            let mut left = depth;
            while left > 0 {
                let steps = left.min(STEPS);
                left -= steps;
                fetching.some();
                for _ in 0..steps {
                    let mut vectors = [V::splat(0.0); VECTORS];
                    for j in 0..VECTORS {
                        vectors[j] = load(b.wrapping_add(j * V::COUNT));
                    }
                    for i in 0..HEIGHT {
                        let factor = V::splat(*a.wrapping_add(i.wrapping_mul(a_row)));
                        for j in 0..VECTORS {
                            sums[i][j] = factor.multiply_add(vectors[j], sums[i][j]);
                        }
                    }
                    a = a.wrapping_add(a_depth);
                    b = b.wrapping_add(b_depth);
                }
            }
        }
        for i in 0..HEIGHT {
            for j in 0..VECTORS {
                if WHOLE {
                    sums[i][j].store(element(i, j));
                } else {
                    sums[i][j].store_first(element(i, j), width);
                }
            }
        }
    }
}
