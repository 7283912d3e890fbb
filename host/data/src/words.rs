//! The random numbers of this crate: a counter-based stream (the BLAKE3 extendable output), which
//! depends on its key alone, read as uniform draws.

use blake3::{Hasher, OutputReader};

/// 32-bit little-endian words of an extendable output, computed `BLOCK` bytes (a multiple of 4)
/// at a time.
pub(crate) struct Words<const BLOCK: usize> {
    stream: OutputReader,
    block: [u8; BLOCK],
    used: usize,
}

impl<const BLOCK: usize> Words<BLOCK> {
    pub(crate) fn new(hasher: &Hasher) -> Self {
        Self {
            stream: hasher.finalize_xof(),
            block: [0; BLOCK],
            used: BLOCK,
        }
    }

    fn next(&mut self) -> u32 {
        if self.used == BLOCK {
            self.stream.fill(&mut self.block);
            self.used = 0;
        }
        let mut word = [0; 4];
        word.copy_from_slice(&self.block[self.used..self.used + 4]);
        self.used += 4;
        u32::from_le_bytes(word)
    }

    /// A uniform draw from `0..bound`, without bias: multiply and reject (Lemire 2019,
    /// "Fast random integer generation in an interval"). `bound` is at least 1.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        // The 2^32 mod bound lowest products would favour some results.
        let unfair = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next()) * u64::from(bound);
            if product as u32 >= unfair {
                return (product >> 32) as u32;
            }
        }
    }
}
