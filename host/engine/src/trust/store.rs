//! The user's trust store: a small TOML file with the libraries and the signing keys that the user
//! trusts. Owns the file's format and its safe reading and writing, and no policy.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use assay_core::{Advice, PluginHash};
use assay_files::{PRIVATE, replace};
use serde::{Deserialize, Serialize};

use super::signature::SigningKey;

/// The format that this version reads and writes.
const VERSION: u32 = 1;
/// Thousands of entries fit in it.
const LARGEST: u64 = 4 << 20;
const HEADER: &str =
    "# Whom Assay trusts. `pipeline plugin trust` and `pipeline plugin untrust` write this file.\n";

/// A library that the user trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedPlugin {
    /// Its hash.
    pub hash: PluginHash,
    /// Name of the plugin when it was trusted; decides nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A key whose signatures the user trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// The public key.
    pub key: SigningKey,
    /// Whose it is, in the user's words; decides nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    plugin: Vec<TrustedPlugin>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    key: Vec<TrustedKey>,
}

/// The one field that every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A trust store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file could not be handled.
    #[error("cannot {what} the trust store {}", path.display())]
    File {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// Somebody else may have written it.
    #[error("the trust store {} is not yours alone: {reason}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// Who may write to it.
        reason: &'static str,
    },
    /// It is not a trust store.
    #[error("{} is not a trust store: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why it is not a trust store.
        reason: String,
    },
    /// A later version of Assay wrote it.
    #[error("the trust store {} has version {found}, and this host reads version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

impl Advice for TrustError {
    fn help(&self) -> Cow<'_, str> {
        let advice = match self {
            Self::File { .. } => "check the path and its permissions",
            Self::Unsafe { .. } => {
                "look through it, then make it yours alone: chown it, and chmod 600"
            }
            Self::Malformed { .. } => "repair it, or move it away and trust again what you trust",
            Self::Version { .. } => "use the version of Assay that wrote it",
        };
        advice.into()
    }
}

/// Plugins and keys that the user trusts, as the file lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustStore {
    path: PathBuf,
    plugins: BTreeMap<PluginHash, String>,
    keys: BTreeMap<SigningKey, String>,
}

impl TrustStore {
    /// Reads the trust store at `path`; a file that is not there trusts nobody.
    ///
    /// # Errors
    /// It cannot be read, is not a trust store of this version, or others may write to it.
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        let empty = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        let Some(text) = read_own(path)? else {
            return Ok(empty);
        };
        let malformed = |error: toml::de::Error| TrustError::Malformed {
            path: path.to_owned(),
            reason: error.message().to_owned(),
        };
        let Versioned { version } = toml::from_str(&text).map_err(malformed)?;
        if version != VERSION {
            return Err(TrustError::Version {
                path: path.to_owned(),
                found: version,
            });
        }
        let document: Document = toml::from_str(&text).map_err(malformed)?;
        let plugins = document.plugin.into_iter();
        let keys = document.key.into_iter();
        Ok(Self {
            plugins: plugins.map(|plugin| (plugin.hash, plugin.name)).collect(),
            keys: keys.map(|key| (key.key, key.comment)).collect(),
            ..empty
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The libraries, by hash.
    pub fn plugins(&self) -> impl Iterator<Item = TrustedPlugin> {
        self.plugins.iter().map(|(&hash, name)| TrustedPlugin {
            hash,
            name: name.clone(),
        })
    }

    /// The keys, in their own order.
    pub fn keys(&self) -> impl Iterator<Item = TrustedKey> {
        self.keys.iter().map(|(key, comment)| TrustedKey {
            key: key.clone(),
            comment: comment.clone(),
        })
    }

    /// Whether the user trusts the library itself.
    pub fn has_plugin(&self, hash: PluginHash) -> bool {
        self.plugins.contains_key(&hash)
    }

    /// Trusts a library; `false` if it was trusted already.
    pub fn add_plugin(&mut self, plugin: TrustedPlugin) -> bool {
        self.plugins.insert(plugin.hash, plugin.name).is_none()
    }

    /// Trusts a library no more; `false` if it was not trusted.
    pub fn remove_plugin(&mut self, hash: PluginHash) -> bool {
        self.plugins.remove(&hash).is_some()
    }

    /// Trusts what a key signs; `false` if it was trusted already.
    pub fn add_key(&mut self, key: TrustedKey) -> bool {
        self.keys.insert(key.key, key.comment).is_none()
    }

    /// Trusts a key no more; `false` if it was not trusted.
    pub fn remove_key(&mut self, key: &SigningKey) -> bool {
        self.keys.remove(key).is_some()
    }

    /// Writes the file in one step, readable and writable by the user alone.
    ///
    /// # Errors
    /// It cannot be written; the old one is as it was.
    pub fn write(&self) -> Result<(), TrustError> {
        let document = Document {
            version: VERSION,
            plugin: self.plugins().collect(),
            key: self.keys().collect(),
        };
        let text = toml::to_string(&document).map_err(|error| TrustError::Malformed {
            path: self.path.clone(),
            reason: error.to_string(),
        })?;
        self.write_text(&format!("{HEADER}{text}"))
            .map_err(|source| TrustError::File {
                what: "write",
                path: self.path.clone(),
                source,
            })
    }

    fn write_text(&self, text: &str) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            let mut private = fs::DirBuilder::new();
            private.recursive(true).mode(0o700).create(folder)?;
        }
        replace(&self.path, text.as_bytes(), PRIVATE)
    }
}

/// The text of a file that nobody but the user can have written; `None` if there is none.
fn read_own(path: &Path) -> Result<Option<String>, TrustError> {
    let failed = |source| TrustError::File {
        what: "read",
        path: path.to_owned(),
        source,
    };
    let not_safe = |reason| TrustError::Unsafe {
        path: path.to_owned(),
        reason,
    };
    let file = match assay_files::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let metadata = file.metadata().map_err(failed)?;
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(not_safe("somebody else owns it"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(not_safe("others may write to it"));
    }
    let bytes = assay_files::read_open(&file, LARGEST).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| TrustError::Malformed {
        path: path.to_owned(),
        reason: "it is not UTF-8 text".to_owned(),
    })?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn plugin(bytes: &[u8]) -> TrustedPlugin {
        TrustedPlugin {
            hash: PluginHash::of(bytes),
            name: "a \"name\"".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_is_the_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay/trust.toml");
        let mut store = TrustStore::read(&path).unwrap();
        assert!(store.add_plugin(plugin(b"one")));
        assert!(store.add_plugin(plugin(b"two")));
        assert!(!store.add_plugin(plugin(b"two")));
        let key = TrustedKey {
            key: KEY.parse().unwrap(),
            comment: "the lab".to_owned(),
        };
        assert!(store.add_key(key.clone()));
        store.write().unwrap();

        let mut again = TrustStore::read(&path).unwrap();
        assert_eq!(again, store);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(again.has_plugin(PluginHash::of(b"one")));
        assert!(again.remove_plugin(PluginHash::of(b"one")));
        assert!(!again.remove_plugin(PluginHash::of(b"one")));
        assert!(again.remove_key(&key.key));
        again.write().unwrap();
        assert_eq!(TrustStore::read(&path).unwrap(), again);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.toml");
        fs::write(&path, "version = 1\n").unwrap();
        for (mode, safe) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = TrustStore::read(&path);
            assert_eq!(read.is_ok(), safe, "{mode:o}: {read:?}");
        }
    }

    #[test]
    fn what_is_no_trust_store_of_this_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.toml");
        for (text, words) in [
            ("version = 2\nnew = true\n", "has version 2"),
            ("", "missing field `version`"),
            ("version = 1\nplugins = []\n", "unknown field `plugins`"),
            ("version = 1\n[[plugin]]\nhash = \"12\"\n", "is not a hash"),
            ("version = 1\n[[key]]\nkey = \"12\"\n", "not a public key"),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let refused = TrustStore::read(&path).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
