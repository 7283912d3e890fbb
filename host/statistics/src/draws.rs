//! Draws that are the same at every call: the output of BLAKE3, which is a keyed counter, with a key
//! made of the values that the draws are for.

/// The bytes that are made at once.
const BLOCK: usize = 1024;

/// A stream of drawn numbers.
pub(crate) struct Draws {
    stream: blake3::OutputReader,
    block: [u8; BLOCK],
    at: usize,
}

impl Draws {
    /// The draws for these values. Each purpose has draws of its own.
    pub(crate) fn keyed(purpose: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let mut key = blake3::Hasher::new_derive_key(purpose);
        for value in values {
            key.update(&value.to_le_bytes());
        }
        Self {
            stream: key.finalize_xof(),
            block: [0; BLOCK],
            at: BLOCK,
        }
    }

    /// Random bits.
    pub(crate) fn fill(&mut self, bits: &mut [u8]) {
        self.stream.fill(bits);
    }

    fn word(&mut self) -> u32 {
        if self.at >= BLOCK {
            self.stream.fill(&mut self.block);
            self.at = 0;
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        self.at += size_of::<u32>();
        rest.first_chunk()
            .map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// A number below `count`, each as likely (Lemire 2019); 0 for a count of 0.
    pub(crate) fn below(&mut self, count: u32) -> usize {
        loop {
            let product = u64::from(self.word()) * u64::from(count);
            // The lowest 2³² mod count of the remainders would be taken once more than the others.
            if product as u32 >= count || product as u32 >= count.wrapping_neg() % count.max(1) {
                return (product >> 32) as usize;
            }
        }
    }

    /// A number of [0, 1), of 53 bits.
    pub(crate) fn share(&mut self) -> f64 {
        let (high, low) = (u64::from(self.word()), u64::from(self.word()));
        (((high << 32) | low) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
