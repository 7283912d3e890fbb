//! The two digests by which file contents are recognised.
//!
//! Publishers state SHA-256; what Assay itself records is BLAKE3. Nothing here opens a file.

use std::fmt;
use std::io::{self, Read};

use assay_core::ObjectHash;
use sha2::{Digest as _, Sha256};

/// The digest that a file's uncompressed content must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// The SHA-256 that a publisher states, in lower-case hexadecimal digits.
    Sha256(String),
    /// The BLAKE3-256 of the user's own file, recorded when the pipeline was planned.
    Blake3(ObjectHash),
}

impl Digest {
    /// The name of its function, and its hexadecimal digits.
    pub fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Sha256(digits) => ("sha256", digits.clone()),
            Self::Blake3(hash) => ("blake3", hash.to_string()),
        }
    }

    /// The digest of the same kind of `bytes`.
    pub(crate) fn same_kind_of(&self, bytes: &[u8]) -> Self {
        match self {
            Self::Sha256(_) => Self::Sha256(hex(&Sha256::digest(bytes))),
            Self::Blake3(_) => Self::Blake3(ObjectHash::of(bytes)),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (function, digits) = self.parts();
        write!(f, "{function} {digits}")
    }
}

/// The hash of everything in `reader`.
pub(crate) fn hash(reader: impl Read) -> io::Result<ObjectHash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(reader)?;
    Ok(hasher.finalize().into())
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_known_text() {
        let sha = Digest::Sha256(String::new()).same_kind_of(b"abc");
        assert_eq!(
            sha.to_string(),
            "sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let blake = Digest::Blake3(ObjectHash::of(b"")).same_kind_of(b"abc");
        let digits = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        assert_eq!(blake.to_string(), format!("blake3 {digits}"));
        assert_eq!(hash(&b"abc"[..]).unwrap().to_string(), digits);
    }
}
