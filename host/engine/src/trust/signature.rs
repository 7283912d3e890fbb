//! Signatures in minisign's format: an Ed25519 signature of a library or a bundle beside it, in
//! `FILE.minisig`. Owns their checking; whose key is trusted is said elsewhere.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use assay_core::Advice;
use minisign_verify::{Error, PublicKey, Signature};
use serde::{Deserialize, Serialize};

/// A signature file or a public key is a few lines.
const LARGEST: u64 = 64 << 10;

/// How much of a signed file is held at a time.
const PIECE: usize = 256 << 10;

/// A public key, as the second line of a `.pub` file has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SigningKey(String);

/// A text that is no public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a public key of minisign: expected 56 characters that begin with `RW`, or a \
     file with a comment and then those"
)]
pub struct InvalidKey;

impl FromStr for SigningKey {
    type Err = InvalidKey;

    /// Reads the content of a `.pub` file, or the key alone.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().ok_or(InvalidKey)?;
        let key = lines.next().unwrap_or(first);
        PublicKey::from_base64(key).map_err(|_| InvalidKey)?;
        Ok(Self(key.to_owned()))
    }
}

impl TryFrom<String> for SigningKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        text.parse()
    }
}

impl From<SigningKey> for String {
    fn from(key: SigningKey) -> Self {
        key.0
    }
}

impl SigningKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key in `argument`: itself, or the file that holds it.
    ///
    /// # Errors
    /// The file cannot be read, or neither is a key.
    pub fn read(argument: &str) -> Result<Self, SignatureError> {
        if let Ok(key) = argument.parse() {
            return Ok(key);
        }
        let path = Path::new(argument);
        let text =
            assay_files::read_text(path, LARGEST).map_err(|source| SignatureError::Unreadable {
                what: "public key",
                path: path.to_owned(),
                source,
            })?;
        text.parse().map_err(|source| SignatureError::Key {
            path: path.to_owned(),
            source,
        })
    }
}

/// Why a file does not count as signed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A file cannot be read.
    #[error("cannot read the {what} {}", path.display())]
    Unreadable {
        /// The kind of file that is expected.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// A file holds no public key.
    #[error("{} holds no public key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The underlying error, which describes a key.
        source: InvalidKey,
    },
    /// A file holds no signature.
    #[error("{} is not a signature in minisign's format", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The signature was made with another key.
    #[error("the signature {} was made with another key", path.display())]
    OtherKey {
        /// The signature.
        path: PathBuf,
    },
    /// The signature is not one of these bytes.
    #[error(
        "the signature {} is not one of this file: the file or the signature was changed",
        path.display()
    )]
    Wrong {
        /// The signature.
        path: PathBuf,
    },
}

impl Advice for SignatureError {}

/// Where the signature of a file lies.
pub fn signature_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".minisig");
    name.into()
}

/// The text of the signature of `file`.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn read_signature(file: &Path) -> Result<String, SignatureError> {
    let path = signature_path(file);
    assay_files::read_text(&path, LARGEST).map_err(|source| SignatureError::Unreadable {
        what: "signature",
        path,
        source,
    })
}

/// Checks that `signature`, which lies beside `library`, is one of `bytes` by `key`; gives the
/// comment that is signed too.
///
/// # Errors
/// It is not.
pub fn verify_signature(
    library: &Path,
    bytes: &[u8],
    signature: &str,
    key: &SigningKey,
) -> Result<String, SignatureError> {
    let path = signature_path(library);
    let Ok(signature) = Signature::decode(signature) else {
        return Err(SignatureError::Malformed { path });
    };
    let key = PublicKey::from_base64(&key.0)
        .map_err(|_| SignatureError::OtherKey { path: path.clone() })?;
    // Old signatures, of the bytes themselves instead of their hash, prove the same.
    match key.verify(bytes, &signature, true) {
        Ok(()) => Ok(signature.trusted_comment().to_owned()),
        Err(Error::UnexpectedKeyId) => Err(SignatureError::OtherKey { path }),
        Err(_) => Err(SignatureError::Wrong { path }),
    }
}

/// As [`verify_signature`], for a file that is too large to hold. Signatures of minisign's old kind,
/// of the bytes themselves instead of their hash, cannot be checked so.
///
/// # Errors
/// It is not, or the file cannot be read.
pub fn verify_stream(
    file: &Path,
    mut content: impl Read,
    signature: &str,
    key: &SigningKey,
) -> Result<String, SignatureError> {
    let path = signature_path(file);
    let Ok(signature) = Signature::decode(signature) else {
        return Err(SignatureError::Malformed { path });
    };
    let Ok(key) = PublicKey::from_base64(&key.0) else {
        return Err(SignatureError::OtherKey { path });
    };
    let mut verifier = match key.verify_stream(&signature) {
        Ok(verifier) => verifier,
        Err(Error::UnexpectedKeyId) => return Err(SignatureError::OtherKey { path }),
        Err(_) => return Err(SignatureError::Malformed { path }),
    };
    let mut buffer = vec![0; PIECE];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => verifier.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(SignatureError::Unreadable {
                    what: "signed file",
                    path: file.to_owned(),
                    source,
                });
            }
        }
    }
    match verifier.finalize() {
        Ok(()) => Ok(signature.trusted_comment().to_owned()),
        Err(_) => Err(SignatureError::Wrong { path }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of minisign's own documentation.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn a_key_is_read_alone_or_with_its_comment() {
        let alone: SigningKey = KEY.parse().unwrap();
        let file = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n");
        assert_eq!(file.parse::<SigningKey>().unwrap(), alone);
        for text in ["", "RWQf", "untrusted comment: only", &KEY[1..]] {
            assert_eq!(text.parse::<SigningKey>(), Err(InvalidKey), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_signature_is_called_that() {
        let key: SigningKey = KEY.parse().unwrap();
        let refused = verify_signature(Path::new("x.so"), b"", "hello\nworld", &key).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "x.so.minisig is not a signature in minisign's format"
        );
    }
}
