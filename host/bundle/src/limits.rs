//! How much a bundle may make of this machine before it is believed.

/// Upper limits on a bundle; each is checked before anything is read or written on the bundle's
/// word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all its files together, unpacked.
    pub size: u64,
    /// Files.
    pub files: u64,
    /// Bytes of what may be a document, all together: these are held in memory.
    pub documents: u64,
}

impl Limits {
    /// Bytes that any bundle may unpack to, however small it is.
    const FREE: u64 = 64 << 20;

    /// Bytes that one byte of a bundle may unpack to beyond that: weights and images come to less
    /// than ten, tables to less than a hundred.
    const RATIO: u64 = 1000;

    /// Whether so many packed bytes may become so many unpacked ones.
    pub(crate) fn is_plausible(packed: u64, unpacked: u64) -> bool {
        unpacked <= Self::FREE.saturating_add(packed.saturating_mul(Self::RATIO))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: 64 << 30,
            files: 1_000_000,
            documents: 256 << 20,
        }
    }
}
