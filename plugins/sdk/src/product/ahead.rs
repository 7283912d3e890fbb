//! Operands that the processor fetches while it computes a product, instead of waiting for them afterwards: a little at a
//! time, since it can have only so many lines of its cache under way.

// Inlined into functions that are compiled for wider vectors.
#![allow(clippy::inline_always)]

use super::Term;
use crate::instructions::{self, LINE};

/// Rows of neighbouring elements, at the A of each of some terms.
#[derive(Clone, Copy)]
pub(super) struct Ahead<'a> {
    pub(super) from: *const f32,
    pub(super) terms: &'a [Term],
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// From one row to the next.
    pub(super) row: usize,
}

impl Ahead<'_> {
    pub(super) const NOTHING: Self = Self {
        from: std::ptr::null(),
        terms: &[],
        rows: 0,
        columns: 0,
        row: 0,
    };

    /// The lines of the cache that it takes, about.
    fn lines(&self) -> usize {
        self.terms.len() * self.rows * self.columns.div_ceil(LINE)
    }
}

/// A way through such rows.
pub(super) struct Fetching<'a> {
    ahead: Ahead<'a>,
    /// Lines at a time.
    lines: usize,
    row: usize,
    column: usize,
}

impl<'a> Fetching<'a> {
    /// All of `ahead` in so many times.
    pub(super) fn new(ahead: Ahead<'a>, times: usize) -> Self {
        Self {
            ahead,
            lines: ahead.lines().div_ceil(times.max(1)),
            row: 0,
            column: 0,
        }
    }

    /// The next lines, if any are left.
    #[inline(always)]
    pub(super) fn some(&mut self) {
        let ahead = &mut self.ahead;
        for _ in 0..self.lines {
            let Some((term, rest)) = ahead.terms.split_first() else {
                return;
            };
            let at = term.a + self.row * ahead.row + self.column;
            instructions::fetch(ahead.from.wrapping_add(at));
            self.column += LINE;
            if self.column >= ahead.columns {
                self.column = 0;
                self.row += 1;
            }
            if self.row >= ahead.rows {
                self.row = 0;
                ahead.terms = rest;
            }
        }
    }
}
