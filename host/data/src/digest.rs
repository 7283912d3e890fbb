//! The two digests by which file contents are recognised, and their spelling.
//!
//! Publishers state SHA-256; what Assay itself records is BLAKE3. Nothing here opens a file.

use std::fmt;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// BLAKE3-256 of a file's uncompressed content; 64 lower-case hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash([u8; 32]);

/// A text that is not a content hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a content hash: expected 64 lower-case hexadecimal digits")]
pub struct InvalidContentHash(String);

impl ContentHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash of everything in `reader`.
    pub(crate) fn read(reader: impl Read) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(reader)?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash with these bytes, computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl TryFrom<String> for ContentHash {
    type Error = InvalidContentHash;

    fn try_from(text: String) -> Result<Self, InvalidContentHash> {
        // One spelling for one hash: upper case would name the same bytes twice.
        let lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
        match blake3::Hash::from_hex(&text) {
            Ok(hash) if lower => Ok(Self(*hash.as_bytes())),
            _ => Err(InvalidContentHash(text.chars().take(80).collect())),
        }
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

/// The digest that a file's uncompressed content must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// The SHA-256 a publisher states, in lower-case hexadecimal.
    Sha256(String),
    /// The BLAKE3 recorded when the pipeline was planned.
    Blake3(ContentHash),
}

impl Digest {
    /// The digest of the same kind of `bytes`.
    pub(crate) fn same_kind_of(&self, bytes: &[u8]) -> Self {
        match self {
            Self::Sha256(_) => Self::Sha256(hex(&Sha256::digest(bytes))),
            Self::Blake3(_) => Self::Blake3(ContentHash::of(bytes)),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(hex) => write!(f, "sha256 {hex}"),
            Self::Blake3(hash) => write!(f, "blake3 {hash}"),
        }
    }
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
        assert_eq!(
            ContentHash::of(b"abc").to_string(),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn only_one_spelling_of_a_hash_is_read() {
        let hash = ContentHash::of(b"abc");
        assert_eq!(ContentHash::try_from(hash.to_string()), Ok(hash));
        for bad in [hash.to_string().to_uppercase(), "ab".into(), String::new()] {
            assert_eq!(
                ContentHash::try_from(bad.clone()),
                Err(InvalidContentHash(bad))
            );
        }
    }
}
