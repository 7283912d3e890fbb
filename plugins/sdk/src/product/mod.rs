//! Products of matrices where they lie: the one routine behind every layer on a CPU.
//!
//! `out = start + Σ_t A_t B_t` for matrices that are views with strides, such as the weights of one
//! row of a kernel and the window that they meet. General libraries copy their operands into an
//! order of their own first; at a layer's sizes that costs a fifth of the product, and with
//! activations stored by (unit, sample) it buys nothing: the columns of `B` are the samples.
//!
//! Every element is the sum of its products in order, each multiplied and added with one rounding.
//! So the bits depend neither on the processor's vectors nor on how the work is divided among
//! threads, nor on which other columns are computed beside.

mod ahead;
mod lanes;
mod lines;
mod tile;
mod transpose;

use std::cell::RefCell;
use std::ops::Range;

use self::ahead::Ahead;
use self::lines::Lines;
pub(crate) use self::transpose::{Transpose, TransposeBuffer};
use crate::instructions::LINE;
use crate::workers;

/// Sums this long at a time: the part of `B` that a tile walks through stays in the processor's
/// address cache. Sums go on from what memory holds, so this changes no bit.
const DEPTH: usize = 512;

/// Rows that a thread takes at a time, about: few enough to share evenly.
const ROWS: usize = 72;

/// Rows of a tile, at most.
const TILE_ROWS: usize = 6;

/// The step between columns of A from which on they are copied. Half a page and more: each column is a page of its own
/// for the processor's address cache, and those a multiple of 4096 bytes apart push each other out of the other caches.
const FAR: usize = 512;

/// Rows and columns of A that are copied at a time, an eighth of a megabyte.
const COPIED: [usize; 2] = [128, 256];

thread_local! {
    /// A block of A, and the terms of the product with it.
    static COPY: RefCell<(Lines, Vec<Term>)> = RefCell::default();
}

/// The sizes of a product and the steps between the elements of its operands. The columns of
/// `out` and `B` are neighbours in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// The terms of each A·B.
    pub(crate) depth: usize,
    /// From one row of A to the next.
    pub(crate) a_row: usize,
    /// From one column of A to the next.
    pub(crate) a_depth: usize,
    /// From one row of B to the next.
    pub(crate) b_depth: usize,
    /// From one row of `out` to the next.
    pub(crate) out_row: usize,
}

/// A part of a product.
struct Part<'a> {
    terms: &'a [Term],
    /// The terms of each A·B.
    depth: Range<usize>,
    rows: Range<usize>,
    /// True if no part of the same sums came before.
    is_first: bool,
}

/// The beginnings of one pair of matrices in their slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) a: usize,
    pub(crate) b: usize,
}

impl Term {
    /// The pair that begins where the slices begin.
    pub(crate) const FIRST: [Self; 1] = [Self { a: 0, b: 0 }];
}

/// Initial value of the sums.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    Zero,
    /// A value for each row.
    Rows(&'a [f32]),
    /// The content of `out`.
    Out,
}

impl Product {
    /// `out = start + Σ_t A_t B_t`.
    ///
    /// # Panics
    /// A slice is too short.
    pub(crate) fn run(
        &self,
        out: &mut [f32],
        a: &[f32],
        b: &[f32],
        terms: &[Term],
        start: Start<'_>,
    ) {
        if let Some(kernel) = tile::kernels().next() {
            self.run_with(kernel, out, [a, b], terms, start);
        }
    }

    fn run_with(
        &self,
        kernel: tile::Kernel,
        out: &mut [f32],
        [a, b]: [&[f32]; 2],
        terms: &[Term],
        start: Start<'_>,
    ) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        self.check(out, a, b, terms, start);
        let mut operands = tile::Operands {
            product: self,
            out: out.as_mut_ptr(),
            a: a.as_ptr(),
            b: b.as_ptr(),
            terms: &[],
            start,
            ahead: Ahead::NOTHING,
        };
        if terms.is_empty() || self.depth == 0 {
            // SAFETY: checked above; `out` is borrowed exclusively.
            return unsafe { kernel(operands) };
        }
        let out = operands.out;
        let mut parts = self.parts(terms).peekable();
        while let Some(part) = parts.next() {
            let first = part.rows.start;
            operands.out = out.wrapping_add(first * self.out_row);
            operands.start = match start {
                _ if !part.is_first => Start::Out,
                Start::Rows(values) => Start::Rows(&values[first..]),
                start => start,
            };
            operands.ahead = self.ahead(&part, parts.peek(), a);
            // SAFETY: as above.
            unsafe { self.part(kernel, [a, b], &part, operands) };
        }
    }

    /// The parts of a product, in the order in which their terms are summed.
    fn parts<'a>(&self, terms: &'a [Term]) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let Self { rows, depth, .. } = *self;
        let [most, longest] = if self.is_copied() {
            COPIED
        } else {
            [rows, DEPTH]
        };
        let chunks = terms.chunks((longest / depth).max(1)).enumerate();
        chunks.flat_map(move |(chunk, terms)| {
            blocks(depth, longest).flat_map(move |depth| {
                blocks(rows, most).map(move |rows| Part {
                    terms,
                    is_first: chunk == 0 && depth.start == 0,
                    depth: depth.clone(),
                    rows,
                })
            })
        })
    }

    /// The part of A that is read later: what the `next` part is going to copy, or, where A is read in place, the rows that
    /// follow the first tile of `part`. Beyond its last row lies what the next of many products begins with, if anything.
    fn ahead<'a>(&self, part: &Part<'a>, next: Option<&Part<'a>>, a: &[f32]) -> Ahead<'a> {
        let from = |depth: usize, row: usize| {
            a.as_ptr()
                .wrapping_add(depth * self.a_depth + row * self.a_row)
        };
        if self.is_copied() {
            return next.map_or(Ahead::NOTHING, |next| Ahead {
                from: from(next.depth.start, next.rows.start),
                terms: next.terms,
                rows: next.depth.len(),
                columns: next.rows.len(),
                row: self.a_depth,
            });
        }
        let (Some(first), Some(last)) = (part.terms.first(), part.terms.last()) else {
            return Ahead::NOTHING;
        };
        let depth = part.depth.len();
        // Of terms that are close to each other in the rows of A, as the rows of a kernel are.
        match (last.a + depth).checked_sub(first.a) {
            Some(columns) if self.a_depth == 1 && columns <= 2 * part.terms.len() * depth => {
                Ahead {
                    from: from(part.depth.start, TILE_ROWS),
                    terms: &part.terms[..1],
                    rows: self.rows,
                    columns,
                    row: self.a_row,
                }
            }
            _ => Ahead::NOTHING,
        }
    }

    /// True if it pays to copy A.
    fn is_copied(&self) -> bool {
        self.a_row == 1 && self.a_depth >= FAR
    }

    /// # Safety
    /// As for [`tile::Kernel`], for the whole of which `part` is a part.
    unsafe fn part(
        &self,
        kernel: tile::Kernel,
        [a, b]: [&[f32]; 2],
        part: &Part<'_>,
        rest: tile::Operands<'_>,
    ) {
        let Part {
            rows, depth, terms, ..
        } = part;
        let a = &a[depth.start * self.a_depth + rows.start * self.a_row..];
        let b = b[depth.start * self.b_depth..].as_ptr();
        let (rows, depth) = (rows.len(), depth.len());
        let product = Self {
            rows,
            depth,
            ..*self
        };
        if !self.is_copied() {
            let (product, a) = (&product, a.as_ptr());
            let operands = tile::Operands {
                product,
                a,
                b,
                terms,
                ..rest
            };
            // SAFETY: promised by the caller.
            return unsafe { kernel(operands) };
        }
        // An odd number of lines, so that columns lie in all places of the cache nearest to the processor.
        let a_depth = (rows.div_ceil(LINE) | 1) * LINE;
        COPY.with_borrow_mut(|(copy, copied)| {
            copy.resize(terms.len() * depth * a_depth);
            copied.clear();
            for (to, term) in copy.chunks_mut(depth * a_depth).zip(*terms) {
                let a = &a[term.a..];
                for (column, to) in to.chunks_mut(a_depth).enumerate() {
                    to[..rows].copy_from_slice(&a[column * self.a_depth..][..rows]);
                }
                copied.push(Term {
                    a: copied.len() * depth * a_depth,
                    b: term.b,
                });
            }
            let product = &Self { a_depth, ..product };
            let (a, terms) = (copy.as_ptr(), &copied[..]);
            let operands = tile::Operands {
                product,
                a,
                b,
                terms,
                ..rest
            };
            // SAFETY: the copy has every element that the part touches; the rest is promised by the caller.
            unsafe { kernel(operands) };
        });
    }

    /// Has `work` compute `out` by blocks of rows, on several threads: it is given the product for a
    /// block, the block's first row, and the block.
    pub(crate) fn share(&self, out: &mut [f32], work: impl Fn(&Self, usize, &mut [f32]) + Sync) {
        if self.rows == 0 || self.out_row == 0 {
            return;
        }
        let [copied, _] = COPIED;
        let threads = workers::count();
        // Whole blocks to copy, if each thread has several.
        let by_copies = threads > 1 && self.is_copied() && self.rows >= 2 * threads * copied;
        let rows = if by_copies {
            copied
        } else {
            rows_at_a_time(self.rows)
        };
        // More than there is ends with what there is.
        let blocks = out
            .chunks_mut(rows.saturating_mul(self.out_row))
            .enumerate();
        workers::share(
            blocks,
            || (),
            |(), (block, out)| {
                let first = block * rows;
                let rows = rows.min(self.rows - first);
                work(&Self { rows, ..*self }, first, out);
            },
        );
    }

    /// Panics unless every element that the product touches exists. Sizes that no memory could have
    /// count as too large.
    fn check(&self, out: &[f32], a: &[f32], b: &[f32], terms: &[Term], start: Start<'_>) {
        let (row, column) = (self.rows - 1, self.columns - 1);
        assert!(
            lies_in(out, [(row, self.out_row), (column, 1)], 0),
            "out is too short"
        );
        assert!(self.out_row > column, "rows of out overlap");
        if let Start::Rows(values) = start {
            assert!(values.len() >= self.rows, "too few values to start with");
        }
        let Some(depth) = self.depth.checked_sub(1) else {
            return;
        };
        for term in terms {
            let last_a = [(row, self.a_row), (depth, self.a_depth)];
            let last_b = [(depth, self.b_depth), (column, 1)];
            assert!(lies_in(a, last_a, term.a), "A is too short");
            assert!(lies_in(b, last_b, term.b), "B is too short");
        }
    }
}

/// Rows of a product that a thread takes at a time: whole tiles, and as much for each thread. Of 256 rows in pieces of 72
/// one of two threads would take 144.
pub(crate) fn rows_at_a_time(rows: usize) -> usize {
    match workers::count() {
        1 => rows,
        threads => {
            let pieces = rows.div_ceil(ROWS).next_multiple_of(threads);
            rows.div_ceil(pieces).next_multiple_of(TILE_ROWS)
        }
    }
}

/// All of a range from zero, so many at a time.
fn blocks(all: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..all)
        .step_by(most)
        .map(move |from| from..all.min(from + most))
}

/// True if `slice` has the element that lies the given steps, each a count and a size, after `first`.
fn lies_in(slice: &[f32], steps: [(usize, usize); 2], first: usize) -> bool {
    let at = steps.iter().try_fold(first, |at, (count, size)| {
        at.checked_add(count.checked_mul(*size)?)
    });
    at.is_some_and(|at| at < slice.len())
}

#[cfg(test)]
mod tests;
