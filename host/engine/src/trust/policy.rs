//! What the user's trust means for one library: whether, and why, it may run where only trusted
//! code may.

use std::path::{Path, PathBuf};

use assay_core::PluginHash;
use assay_store::Store;

use super::signature::{read_signature, signature_path, verify_signature};
use super::store::{TrustStore, TrustedKey};
use crate::plugin::Library;
use crate::session::EngineError;

/// Why a library is trusted, if it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It lies beside the program: whoever can write there can change the program itself.
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
    /// What to do next.
    pub fn help(&self) -> String {
        format!("if you trust it: pipeline plugin trust {}", self.hash)
    }
}

/// Whom the user trusts, and whether anything else may run.
#[derive(Clone, Debug, Default)]
pub struct TrustPolicy {
    /// What the user has said.
    pub store: TrustStore,
    /// The folder of this program.
    pub program: Option<PathBuf>,
    /// Run nothing that is not trusted.
    pub trusted_only: bool,
}

impl TrustPolicy {
    /// Whether, and why, a library is trusted: `file` is where it lies, if it does, and `bytes` are
    /// its own.
    pub fn judge(&self, hash: PluginHash, file: Option<&Path>, bytes: &[u8]) -> Trust {
        match self.without_signature(hash, file) {
            Trust::Nobody => file.map_or(Trust::Nobody, |file| self.signed(file, bytes)),
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
        let Library { hash, file, .. } = library;
        let mut trust = self.without_signature(*hash, file.as_deref());
        if let (Trust::Nobody, Some(file)) = (&trust, file)
            && self.store.keys().next().is_some()
            && signature_path(file).is_file()
        {
            trust = self.signed(file, &store.read((*hash).into())?);
        }
        if self.allows(&trust) {
            return Ok(trust);
        }
        Err(Untrusted {
            name: library.name.clone(),
            hash: *hash,
        }
        .into())
    }

    fn without_signature(&self, hash: PluginHash, file: Option<&Path>) -> Trust {
        if file.is_some_and(|file| self.is_beside_program(file)) {
            Trust::Program
        } else if self.store.has_plugin(hash) {
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

    fn is_beside_program(&self, file: &Path) -> bool {
        let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
        let program = self.program.as_ref();
        let program = program.and_then(|folder| folder.canonicalize().ok());
        folder.is_some() && folder == program
    }
}
