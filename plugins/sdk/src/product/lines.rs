//! Memory for copies of operands.

use std::ops::{Deref, DerefMut};

use crate::instructions::LINE;

/// Floats that begin where a line of the processor's cache begins. A vector of AVX-512 is as long as a line: if they began
/// elsewhere, each load of one would take two.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    memory: Vec<f32>,
    first: usize,
    count: usize,
}

impl Lines {
    /// Makes them so many, of any values.
    pub(super) fn resize(&mut self, count: usize) {
        if self.memory.len() < count + LINE {
            self.memory.resize(count + LINE, 0.0);
        }
        self.first = self.memory.as_ptr().align_offset(size_of::<[f32; LINE]>());
        // The standard library is free to know of no such place.
        self.first = self.first.min(LINE);
        self.count = count;
    }
}

impl Deref for Lines {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.first..][..self.count]
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.first..][..self.count]
    }
}
