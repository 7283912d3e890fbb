//! Judgement of one library by the user's trust: whether, and why, it may run where only trusted
//! code may.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use assay_core::{Advice, PluginHash, PluginPin};
use assay_store::Store;

use super::signature::{read_signature, signature_path, verify_signature};
use super::store::{TrustStore, TrustedKey};
use crate::error::EngineError;
use crate::plugin::{Library, file_name, read_bytes};

/// Why a library is trusted, if it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The same bytes lie beside the program: whoever can write there can change the program
    /// itself.
    Program,
    /// The user trusts its hash.
    Hash,
    /// A key that the user trusts signed it; whose key that is, in the user's words or as text.
    Key(String),
    /// Nobody vouches for it.
    Nobody,
}

impl Trust {
    /// The state as a table and a document spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Program => "own",
            Self::Hash => "trusted",
            Self::Key(_) => "signed",
            Self::Nobody => "untrusted",
        }
    }
}

/// A library that is not to be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plugin `{name}` is not trusted, and only trusted plugins may run: {hash}")]
pub struct Untrusted {
    /// The plugin.
    pub name: String,
    /// Its library.
    pub hash: PluginHash,
}

impl Untrusted {
    fn new(pin: &PluginPin) -> Self {
        Self {
            name: pin.name.clone(),
            hash: pin.hash,
        }
    }
}

impl Advice for Untrusted {
    fn help(&self) -> Cow<'_, str> {
        format!("if you trust it: pipeline plugin trust {}", self.hash).into()
    }
}

/// Whom the user trusts, and whether anything else may run.
#[derive(Clone, Debug, Default)]
pub struct TrustPolicy {
    /// Plugins and keys that the user trusts.
    pub store: TrustStore,
    /// The folder of this program.
    pub program: Option<PathBuf>,
    /// Run nothing that is not trusted.
    pub trusted_only: bool,
}

impl TrustPolicy {
    /// Whether, and why, the library with these bytes is trusted, which lies at `file`.
    pub(crate) fn judge(&self, pin: &PluginPin, file: &Path, bytes: &[u8]) -> Trust {
        match self.without_signature(pin, Some(file)) {
            Trust::Nobody => self.signed(file, bytes),
            trust => trust,
        }
    }

    /// Whether a library so trusted may run.
    pub fn allows(&self, trust: &Trust) -> bool {
        !self.trusted_only || *trust != Trust::Nobody
    }

    /// Refuses a library that may not run. The bytes that count are those in the store, which are
    /// the ones that a worker loads.
    pub(crate) fn admit(&self, store: &Store, library: &Library) -> Result<Trust, EngineError> {
        let pin = library.pin();
        let mut trust = self.without_signature(&pin, library.file.as_deref());
        if let (Trust::Nobody, Some(file)) = (&trust, &library.file)
            && self.store.keys().next().is_some()
            && signature_path(file).is_file()
        {
            trust = self.signed(file, &store.read(pin.hash.into())?);
        }
        if !self.allows(&trust) {
            return Err(Untrusted::new(&pin).into());
        }
        Ok(trust)
    }

    /// Refuses the plugin of a stored action that may not run. Signatures lie beside files, so
    /// none vouches for an action.
    ///
    /// # Errors
    /// Only trusted plugins may run, and this one is not.
    pub fn admit_action(&self, pin: &PluginPin) -> Result<(), Untrusted> {
        if self.allows(&self.without_signature(pin, None)) {
            Ok(())
        } else {
            Err(Untrusted::new(pin))
        }
    }

    fn without_signature(&self, pin: &PluginPin, file: Option<&Path>) -> Trust {
        if self.is_own(pin, file) {
            Trust::Program
        } else if self.store.has_plugin(pin.hash) {
            Trust::Hash
        } else {
            Trust::Nobody
        }
    }

    /// A signature that cannot be read vouches for nothing; `plugin verify` says why.
    fn signed(&self, file: &Path, bytes: &[u8]) -> Trust {
        let Ok(signature) = read_signature(file) else {
            return Trust::Nobody;
        };
        let mut keys = self.store.keys();
        let signer = keys.find(|it| verify_signature(file, bytes, &signature, &it.key).is_ok());
        signer.map_or(Trust::Nobody, |TrustedKey { key, comment }| {
            let anonymous = comment.is_empty();
            Trust::Key(if anonymous { key.into() } else { comment })
        })
    }

    /// Whether the library lies beside the program, or these very bytes do under the plugin's name.
    fn is_own(&self, pin: &PluginPin, file: Option<&Path>) -> bool {
        let Some(folder) = &self.program else {
            return false;
        };
        // Spares the program's own plugins, the usual case, another reading.
        if file.and_then(Path::parent) == Some(folder) {
            return true;
        }
        let bytes = read_bytes(&folder.join(file_name(&pin.name)));
        bytes.is_ok_and(|bytes| PluginHash::of(&bytes) == pin.hash)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::trust::store::TrustedPlugin;

    fn pin(name: &str, bytes: &[u8]) -> PluginPin {
        PluginPin {
            name: name.to_owned(),
            hash: PluginHash::of(bytes),
            abi: "1.0".to_owned(),
        }
    }

    #[test]
    fn the_programs_own_bytes_are_trusted_wherever_they_lie_and_no_others() {
        let program = tempfile::tempdir().unwrap();
        fs::write(program.path().join("libassay_bp.so"), "ours").unwrap();
        let policy = TrustPolicy {
            program: Some(program.path().to_owned()),
            trusted_only: true,
            ..TrustPolicy::default()
        };
        let elsewhere = Path::new("/elsewhere/libassay_bp.so");
        let judge = |name, bytes: &[u8]| policy.judge(&pin(name, bytes), elsewhere, bytes);
        assert_eq!(judge("bp", b"ours"), Trust::Program);
        assert_eq!(judge("bp", b"theirs"), Trust::Nobody);
        assert_eq!(judge("fa", b"ours"), Trust::Nobody);
        assert!(policy.admit_action(&pin("bp", b"ours")).is_ok());
        let refused = policy.admit_action(&pin("bp", b"theirs")).unwrap_err();
        let hash = PluginHash::of(b"theirs").to_string();
        assert!(refused.to_string().contains(&hash));
        assert!(refused.help().ends_with(&format!("plugin trust {hash}")));
    }

    #[test]
    fn trust_in_a_hash_is_trust_in_those_bytes_alone() {
        let mut policy = TrustPolicy {
            trusted_only: true,
            ..TrustPolicy::default()
        };
        policy.store.add_plugin(TrustedPlugin {
            hash: PluginHash::of(b"mine"),
            name: "mine".to_owned(),
        });
        assert!(policy.admit_action(&pin("another name", b"mine")).is_ok());
        assert!(
            policy
                .admit_action(&pin("mine", b"mine, built again"))
                .is_err()
        );
        policy.trusted_only = false;
        assert!(
            policy
                .admit_action(&pin("mine", b"mine, built again"))
                .is_ok()
        );
    }
}
