//! The lock as a file: TOML, in one order, so that equal locks are equal bytes and a difference
//! reads well. Owns its format, reading and writing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::{Advice, ObjectHash, PluginHash};
use assay_files::{READABLE, replace};
use serde::{Deserialize, Serialize};

/// The format that this version reads and writes.
const VERSION: u32 = 1;
/// Thousands of entries fit in it.
const LARGEST: u64 = 4 << 20;

/// A plugin as it was when the lock was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockedPlugin {
    /// The plugin's own version.
    pub(super) version: String,
    /// The version of the boundary it was built for.
    pub(super) abi: String,
    /// The hash of its library.
    pub(super) hash: PluginHash,
}

/// The source of a dataset as it was when the lock was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockedDataset {
    /// The hash of its content.
    pub(super) content: ObjectHash,
}

/// Content of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockFile {
    version: u32,
    /// The plugins, as the pipeline file names them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) plugin: BTreeMap<String, LockedPlugin>,
    /// The datasets, by stage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) dataset: BTreeMap<String, LockedDataset>,
}

/// The one field that every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A lock that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file could not be handled.
    #[error("cannot {what} the lock {}", path.display())]
    File {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// It is not a lock.
    #[error("{} is not a lock: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why it is not a lock.
        reason: String,
    },
    /// A later version of Assay wrote it.
    #[error("the lock {} has version {found}, and this host reads version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// There is none, and one is asked for.
    #[error("there is no lock {}, and --locked runs nothing that is not in it", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
}

impl Advice for LockError {
    fn help(&self) -> Cow<'_, str> {
        let advice = match self {
            Self::File { .. } => "check the path and its permissions",
            Self::Malformed { .. } => {
                "restore it from version control, or delete it and write a new one with --lock"
            }
            Self::Version { .. } => "use the version of Assay that wrote it",
            Self::Missing { .. } => "write one: the same command with --lock in place of --locked",
        };
        advice.into()
    }
}

/// The lock of the pipeline file at `pipeline`: `mnist.lock` beside `mnist.toml`, so that several
/// pipeline files in one folder do not write to one lock.
pub fn lock_path(pipeline: &Path) -> PathBuf {
    pipeline.with_extension("lock")
}

impl Default for LockFile {
    fn default() -> Self {
        Self {
            version: VERSION,
            plugin: BTreeMap::new(),
            dataset: BTreeMap::new(),
        }
    }
}

impl LockFile {
    /// Reads the lock at `path`, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is not a lock of this version.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let failed = |source| LockError::File {
            what: "read",
            path: path.to_owned(),
            source,
        };
        let malformed = |reason: String| LockError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let text = match assay_files::read_text(path, LARGEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(failed)?,
        };
        let unfit = |error: toml::de::Error| malformed(error.to_string().trim_end().to_owned());
        let Versioned { version } = toml::from_str(&text).map_err(unfit)?;
        if version != VERSION {
            return Err(LockError::Version {
                path: path.to_owned(),
                found: version,
            });
        }
        toml::from_str(&text).map(Some).map_err(unfit)
    }

    /// Writes the lock to `path` in one step; a file that says the same already is left alone.
    ///
    /// # Errors
    /// It cannot be written; the old one is as it was.
    pub(super) fn write(&self, path: &Path) -> Result<(), LockError> {
        let text = toml::to_string(self).map_err(|error| LockError::Malformed {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let text = format!(
            "# What `pipeline run --locked` holds a pipeline file to. `pipeline run --lock` writes it; keep \
             it in\n# version control, beside the pipeline file.\n{text}"
        );
        if assay_files::holds(path, text.as_bytes()) {
            return Ok(());
        }
        replace(path, text.as_bytes(), READABLE).map_err(|source| LockError::File {
            what: "write",
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lock(names: [&str; 2]) -> LockFile {
        let mut lock = LockFile::default();
        for name in names {
            let plugin = LockedPlugin {
                version: "0.1.0".to_owned(),
                abi: "1.1".to_owned(),
                hash: PluginHash::of(name.as_bytes()),
            };
            lock.plugin.insert(name.to_owned(), plugin);
        }
        let content = ObjectHash::of(b"mnist");
        lock.dataset
            .insert("mnist".to_owned(), LockedDataset { content });
        lock
    }

    #[test]
    fn a_lock_survives_its_file_and_does_not_depend_on_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one.lock", "two.lock"].map(|name| folder.path().join(name));
        lock(["bp", "./rules/lib \"x\".so@0123abcd"])
            .write(&one)
            .unwrap();
        lock(["./rules/lib \"x\".so@0123abcd", "bp"])
            .write(&two)
            .unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
        let read = LockFile::read(&one).unwrap().unwrap();
        assert_eq!(read, lock(["bp", "./rules/lib \"x\".so@0123abcd"]));
    }

    #[test]
    fn a_lock_lies_beside_its_pipeline_file() {
        assert_eq!(lock_path(Path::new("a/b.toml")), Path::new("a/b.lock"));
        assert_eq!(
            lock_path(Path::new("pipeline.toml")),
            Path::new("pipeline.lock")
        );
        let none = tempfile::tempdir().unwrap();
        assert_eq!(LockFile::read(&none.path().join("x.lock")).unwrap(), None);
    }

    #[test]
    fn what_is_no_lock_of_this_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        for (text, words) in [
            ("version = 2\nnew = 1\n", "has version 2"),
            ("<<<<<<< ours\nversion = 1\n", "is not a lock"),
            ("version = 1\n[plugin.bp]\nhash = \"12\"\n", "is not a hash"),
            ("version = 1\n[plugins]\n", "unknown field `plugins`"),
        ] {
            fs::write(&path, text).unwrap();
            let refused = LockFile::read(&path).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let refused = LockFile::read(&path).unwrap_err();
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(cause.contains("it is a folder"), "{refused}: {cause}");
    }
}
