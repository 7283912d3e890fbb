//! The tiles of products, and what each costs.

use super::Kernel;

/// A kernel of products. Each of its blocks computes as many rows as columns, and adds part by part of their sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub(super) kernel: Kernel,
    /// The rows, and the columns.
    pub(super) edge: usize,
    /// Tenths of an instruction of a thread for each step of the depth.
    step: usize,
}

/// Elements of A, and of B, in a part: `OF_PART` in the kernel.
const OF_PART: usize = 2048;

/// Tenths of an instruction of a thread to load a part, and to go on to the next.
const PART: usize = 1800;

/// All of them. `scripts/check-kernels` counts the instructions.
pub(super) const TILES: [Tile; 4] = [
    Tile::new(Kernel::Product128, 128, 715),
    Tile::new(Kernel::Product64, 64, 189),
    Tile::new(Kernel::Product32, 32, 52),
    Tile::new(Kernel::Product16, 16, 17),
];

impl Tile {
    const fn new(kernel: Kernel, edge: usize, step: usize) -> Self {
        Self { kernel, edge, step }
    }

    /// The steps of the depth in a part.
    pub(super) const fn depth(self) -> usize {
        OF_PART / self.edge
    }

    /// The number that cover so many rows and columns.
    pub(super) const fn count(self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.edge) * columns.div_ceil(self.edge)
    }

    /// Tenths of an instruction of a thread for one tile of a product of so many terms.
    pub(super) const fn time(self, depth: usize, terms: usize) -> usize {
        let of_parts = depth.div_ceil(self.depth()).saturating_mul(PART);
        let of_term = of_parts.saturating_add(depth.saturating_mul(self.step));
        terms.saturating_mul(of_term)
    }
}
