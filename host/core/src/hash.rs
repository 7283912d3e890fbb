//! BLAKE3-256 names, one type for each thing that is named.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a hash: expected 64 lower-case hexadecimal digits")]
pub struct HashError(String);

/// A hash in a document: digits in a text, bytes in what is not for people.
struct Digits;

impl Visitor<'_> for Digits {
    type Value = [u8; 32];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash of 64 lower-case hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; 32], E> {
        parse(text).map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<[u8; 32], E> {
        let hash = bytes.try_into();
        hash.map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

/// The value of each digit; of any other byte, more than a digit has. One spelling for one hash: upper case
/// would name the same bytes twice.
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        values[digit(value) as usize] = value;
        value += 1;
    }
    values
};

fn parse(text: &str) -> Result<[u8; 32], HashError> {
    // Every record and manifest has some, and a store a folder for each action.
    let bytes = || {
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let (mut bytes, mut most) = ([0; 32], 0);
        for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks().0) {
            let [high, low] = pair.map(|digit: u8| VALUES[usize::from(digit)]);
            most |= high | low;
            *byte = high << 4 | low;
        }
        (most <= 0xf).then_some(bytes)
    };
    bytes().ok_or_else(|| HashError(text.chars().take(80).collect()))
}

/// The digit of a value below 16. It is computed, so that a processor does many at once.
const fn digit(value: u8) -> u8 {
    let beyond_nine = (value > 9) as u8;
    b'0' + value + beyond_nine * (b'a' - b'9' - 1)
}

/// The digits of a hash.
struct Hex([u8; 64]);

impl Hex {
    fn of(bytes: &[u8; 32]) -> Self {
        let mut hex = [0; 64];
        for (pair, byte) in hex.as_chunks_mut().0.iter_mut().zip(bytes) {
            *pair = [byte >> 4, byte & 0xf].map(digit);
        }
        Self(hex)
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The hash of `bytes`.
            pub fn of(bytes: &[u8]) -> Self {
                blake3::hash(bytes).into()
            }

            /// The hash with these 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first 12 digits: enough for a person.
            pub fn short(&self) -> String {
                let mut hex = self.to_string();
                hex.truncate(12);
                hex
            }
        }

        impl From<blake3::Hash> for $name {
            fn from(hash: blake3::Hash) -> Self {
                Self(hash.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Hex::of(&self.0).as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = HashError;

            fn from_str(text: &str) -> Result<Self, HashError> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(Hex::of(&self.0).as_str())
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(Digits).map(Self)
                } else {
                    deserializer.deserialize_bytes(Digits).map(Self)
                }
            }
        }
    };
}

hash_type!(
    /// Names any bytes in the store.
    ObjectHash
);
hash_type!(
    /// Names an artifact: the hash of its manifest.
    ArtifactHash
);
hash_type!(
    /// Names an action: the hash of its canonical JSON.
    ActionKey
);
hash_type!(
    /// Names a plugin: the hash of its shared library.
    PluginHash
);
hash_type!(
    /// Names a run: the hash of its manifest.
    RunHash
);

impl From<ArtifactHash> for ObjectHash {
    /// The object that holds the artifact's manifest.
    fn from(hash: ArtifactHash) -> Self {
        Self(hash.0)
    }
}

impl From<ActionKey> for ObjectHash {
    /// The object that holds the action's document.
    fn from(key: ActionKey) -> Self {
        Self(key.0)
    }
}

impl From<PluginHash> for ObjectHash {
    /// The object that holds the plugin's library.
    fn from(hash: PluginHash) -> Self {
        Self(hash.0)
    }
}

impl From<ObjectHash> for PluginHash {
    fn from(hash: ObjectHash) -> Self {
        Self(hash.0)
    }
}

impl From<RunHash> for ObjectHash {
    /// The object that holds the run's manifest.
    fn from(hash: RunHash) -> Self {
        Self(hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_b3sum_prints() {
        // `printf '' | b3sum`
        assert_eq!(
            ObjectHash::of(b"").to_string(),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
    }

    #[test]
    fn only_64_lower_case_digits_are_a_hash() {
        let text = ObjectHash::of(b"x").to_string();
        assert_eq!(text.parse::<ObjectHash>().unwrap(), ObjectHash::of(b"x"));
        assert!(text.to_uppercase().parse::<ObjectHash>().is_err());
        assert!(text[..63].parse::<ObjectHash>().is_err());
        assert!("../../etc/passwd".parse::<ObjectHash>().is_err());
        for byte in 0..128 {
            for at in [0, 1, 31, 63] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                let changed = String::from_utf8(bytes).unwrap();
                let is_digit = b"0123456789abcdef".contains(&byte);
                let parsed = changed.parse::<ObjectHash>();
                assert_eq!(parsed.is_ok(), is_digit, "{changed}");
                assert!(parsed.is_err() || parsed.unwrap().to_string() == changed);
            }
        }
    }
}
