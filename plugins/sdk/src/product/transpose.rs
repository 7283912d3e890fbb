//! Transposed copies: of what the host lays out by sample, and for the one product in which samples
//! are what is summed over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lines::Lines;
#[cfg(target_arch = "x86_64")]
use crate::instructions;
use crate::workers;

/// Rows of the copy that a thread takes at a time: enough that memory is read in long runs, few
/// enough that the lines being written stay in the cache.
const ROWS: usize = 64;

/// A transposition: the sizes of a matrix, and the steps between its rows and those of the copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transpose {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// From one row to the next.
    pub(crate) from_row: usize,
    /// From one row of the copy to the next.
    pub(crate) to_row: usize,
}

/// A buffer for transposed copies, kept from step to step.
#[derive(Debug, Default)]
pub(crate) struct TransposeBuffer(Mutex<Lines>);

impl TransposeBuffer {
    /// Copies of the matrices (`units`, `samples`) that `matrices` consists of, each transposed.
    pub(crate) fn fill(
        &self,
        matrices: &[f32],
        units: usize,
        samples: usize,
    ) -> MutexGuard<'_, Lines> {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        copies.resize(matrices.len());
        let transpose = Transpose {
            rows: units,
            columns: samples,
            from_row: samples,
            to_row: units,
        };
        let size = (units * samples).max(1);
        let pairs = copies.chunks_mut(size).zip(matrices.chunks(size));
        transpose.share(pairs.flat_map(|(to, from)| transpose.blocks(to, from)));
        copies
    }
}

impl Transpose {
    /// Writes the transpose of `from` to `to`.
    ///
    /// # Panics
    /// A slice is too short.
    pub(crate) fn run(&self, to: &mut [f32], from: &[f32]) {
        self.share(self.blocks(to, from));
    }

    fn share<'a>(&self, blocks: impl Iterator<Item = Block<'a>> + Send) {
        workers::share(blocks, || (), |(), block| self.block(block));
    }

    fn blocks<'a>(
        &self,
        to: &'a mut [f32],
        from: &'a [f32],
    ) -> impl Iterator<Item = Block<'a>> + Send + use<'a> {
        let columns = self.columns;
        let rows = to.chunks_mut((ROWS * self.to_row).max(1));
        rows.zip((0..columns).step_by(ROWS))
            .map(move |(to, first)| Block {
                to,
                from: &from[first..],
                columns: ROWS.min(columns - first),
            })
    }

    fn block(&self, block: Block<'_>) {
        #[cfg(target_arch = "x86_64")]
        if instructions::has_avx2() {
            // SAFETY: the processor has AVX2.
            return unsafe { self.block_avx2(block) };
        }
        self.squares(block, square);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn block_avx2(&self, block: Block<'_>) {
        self.squares(block, |lines| square_avx2(lines));
    }

    /// Transposes a block by squares: two below each other, which are a line of the cache in each row of the copy, and
    /// then those beside them.
    // Inlined into the function above, so that the squares stay in its registers.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn squares<const SIDE: usize>(
        &self,
        block: Block<'_>,
        square: impl Fn([&[f32; SIDE]; SIDE]) -> [[f32; SIDE]; SIDE],
    ) {
        let Block { to, from, columns } = block;
        let line = |row: usize| &from[row * self.from_row..][..columns];
        let rows = self.rows - self.rows % SIDE;
        for first in (0..rows).step_by(2 * SIDE) {
            for at in 0..columns / SIDE {
                for row in (first..rows.min(first + 2 * SIDE)).step_by(SIDE) {
                    let lines = std::array::from_fn(|i| &line(row + i).as_chunks().0[at]);
                    for (j, values) in square(lines).iter().enumerate() {
                        to[(at * SIDE + j) * self.to_row + row..][..SIDE].copy_from_slice(values);
                    }
                }
            }
        }
        for row in 0..self.rows {
            let done = if row < rows {
                columns - columns % SIDE
            } else {
                0
            };
            for (column, &value) in line(row).iter().enumerate().skip(done) {
                to[column * self.to_row + row] = value;
            }
        }
    }
}

/// The transpose of a square, for any processor.
fn square(lines: [&[f32; 4]; 4]) -> [[f32; 4]; 4] {
    std::array::from_fn(|column| lines.map(|line| line[column]))
}

/// The transpose of a square: pairs of columns of two lines, fours of four, and then halves of eight.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn square_avx2(lines: [&[f32; 8]; 8]) -> [[f32; 8]; 8] {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };
    // SAFETY: there are eight floats.
    let lines = lines.map(|line| unsafe { _mm256_loadu_ps(line.as_ptr()) });
    let fours = |at: usize| {
        let low = |at: usize| _mm256_unpacklo_ps(lines[at], lines[at + 1]);
        let high = |at: usize| _mm256_unpackhi_ps(lines[at], lines[at + 1]);
        let ([first, second], [third, fourth]) = ([low(at), low(at + 2)], [high(at), high(at + 2)]);
        [
            _mm256_shuffle_ps::<0b01_00_01_00>(first, second),
            _mm256_shuffle_ps::<0b11_10_11_10>(first, second),
            _mm256_shuffle_ps::<0b01_00_01_00>(third, fourth),
            _mm256_shuffle_ps::<0b11_10_11_10>(third, fourth),
        ]
    };
    let (upper, lower) = (fours(0), fours(4));
    let mut square = [[0.0; 8]; 8];
    for i in 0..4 {
        let left = _mm256_permute2f128_ps::<0x20>(upper[i], lower[i]);
        let right = _mm256_permute2f128_ps::<0x31>(upper[i], lower[i]);
        // SAFETY: there are eight floats in each.
        unsafe {
            _mm256_storeu_ps(square[i].as_mut_ptr(), left);
            _mm256_storeu_ps(square[i + 4].as_mut_ptr(), right);
        }
    }
    square
}

/// Some columns of a matrix, and the rows that they become.
struct Block<'a> {
    to: &'a mut [f32],
    from: &'a [f32],
    columns: usize,
}
