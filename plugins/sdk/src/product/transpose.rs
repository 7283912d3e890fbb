//! Transposed copies: of what the host lays out by sample, and for the one product in which samples
//! are what is summed over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lines::Lines;
use crate::workers;

/// Rows of the copy that a thread takes at a time: enough that memory is read in long runs, few
/// enough that the lines being written stay in the cache.
const ROWS: usize = 64;

/// The side of the squares that are transposed in registers.
const SIDE: usize = 4;

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
        let Block { to, from, columns } = block;
        let mut row = 0;
        while row + SIDE <= self.rows {
            let lines: [_; SIDE] =
                std::array::from_fn(|i| &from[(row + i) * self.from_row..][..columns]);
            self.lines(&mut to[row..], lines);
            row += SIDE;
        }
        for row in row..self.rows {
            self.lines(&mut to[row..], [&from[row * self.from_row..][..columns]]);
        }
    }

    /// Writes `N` rows as the first `N` columns of `to`.
    fn lines<const N: usize>(&self, to: &mut [f32], lines: [&[f32]; N]) {
        let squares = lines.map(|line| line.as_chunks::<SIDE>().0);
        let count = squares
            .iter()
            .map(|squares| squares.len())
            .min()
            .unwrap_or(0);
        for at in 0..count {
            let mut square = [[0.0; N]; SIDE];
            for (i, squares) in squares.iter().enumerate() {
                for (line, &value) in square.iter_mut().zip(&squares[at]) {
                    line[i] = value;
                }
            }
            for (j, line) in square.iter().enumerate() {
                to[(at * SIDE + j) * self.to_row..][..N].copy_from_slice(line);
            }
        }
        for j in count * SIDE..lines.first().map_or(0, |line| line.len()) {
            let column = lines.map(|line| line[j]);
            to[j * self.to_row..][..N].copy_from_slice(&column);
        }
    }
}

/// Some columns of a matrix, and the rows that they become.
struct Block<'a> {
    to: &'a mut [f32],
    from: &'a [f32],
    columns: usize,
}
