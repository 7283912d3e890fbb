//! Pins: names for what a garbage collection must leave, with all that it rests on. A pin is a file
//! of one line; what it pins is known by its hash alone.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash};

use crate::disk;
use crate::error::{At, StoreError, present};
use crate::store::{Part, Store, persist};

/// The most bytes of a pin's file, and of its name.
const PIN_LIMIT: u64 = 256;
const LABEL_LIMIT: usize = 100;

/// The target of a pin, which a collection keeps with all that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pinned {
    /// A run: its manifest, and every action and artifact that it names.
    Run(RunHash),
    /// An action: what it reads, and all that its executions gave.
    Action(ActionKey),
    /// An artifact, and an action that gave it.
    Artifact(ArtifactHash),
    /// The bytes of any object, and nothing else.
    Object(ObjectHash),
}

impl Pinned {
    /// Kind of the pinned thing, in one word.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Action(_) => "action",
            Self::Artifact(_) => "artifact",
            Self::Object(_) => "object",
        }
    }

    /// The object with the bytes that it is named by.
    pub fn object(self) -> ObjectHash {
        match self {
            Self::Run(run) => run.into(),
            Self::Action(key) => key.into(),
            Self::Artifact(artifact) => artifact.into(),
            Self::Object(object) => object,
        }
    }

    /// Reads what `Display` writes.
    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ')? {
            ("run", hash) => hash.parse().ok().map(Self::Run),
            ("action", hash) => hash.parse().ok().map(Self::Action),
            ("artifact", hash) => hash.parse().ok().map(Self::Artifact),
            ("object", hash) => hash.parse().ok().map(Self::Object),
            _ => None,
        }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what(), self.object())
    }
}

impl Store {
    /// The pins by name.
    ///
    /// # Errors
    /// The folder cannot be read, or holds what is not a pin.
    pub fn pins(&self) -> Result<BTreeMap<String, Pinned>, StoreError> {
        let paths = self.pin_paths()?.into_iter();
        // One may have been removed since it was listed.
        paths
            .filter_map(|path| present(self.pin_at(&path)).transpose())
            .collect()
    }

    /// The files of the pins, in no order, and what else lies among them.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn pin_paths(&self) -> Result<Vec<PathBuf>, StoreError> {
        // A store of an earlier version has no such folder.
        let paths = present(disk::entries(&self.part(Part::Pins)))?;
        Ok(paths.unwrap_or_default())
    }

    /// The pin in a file, and its name.
    ///
    /// # Errors
    /// It is not a pin, or cannot be read.
    pub fn pin_at(&self, path: &Path) -> Result<(String, Pinned), StoreError> {
        let label = parse_label(path).ok_or_else(|| foreign(path))?;
        Ok((label, read_pin(path)?))
    }

    /// Pins something under a name; pinning it again changes nothing. When this returns, the pin
    /// would survive a power cut.
    ///
    /// # Errors
    /// The name cannot be one or pins something else, the object is not in the store, or the store
    /// cannot be written.
    pub fn pin(&self, label: &str, pinned: Pinned) -> Result<(), StoreError> {
        let path = self.pin_path(label)?;
        let object = pinned.object();
        let _hold = self.hold()?;
        if !self.has_object(object)? {
            return Err(StoreError::Missing { object });
        }
        match present(read_pin(&path))? {
            Some(other) if other != pinned => Err(StoreError::Pinned {
                label: label.to_owned(),
                what: other.what(),
                object: other.object(),
            }),
            Some(_) => Ok(()),
            None => {
                let temporary = self.temporary(format!("{pinned}\n").as_bytes())?;
                disk::sync(&[temporary.path().to_owned()])?;
                persist(temporary, &path)?;
                disk::sync(&[self.part(Part::Pins)])
            }
        }
    }

    /// Removes the pin of that name; tells whether there was one.
    ///
    /// # Errors
    /// The name cannot be a pin's, or the store cannot be written.
    pub fn unpin(&self, label: &str) -> Result<bool, StoreError> {
        let path = self.pin_path(label)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.at("remove the pin", &path).map(|()| true),
        }
    }

    fn pin_path(&self, label: &str) -> Result<PathBuf, StoreError> {
        if is_label(label) {
            Ok(self.part(Part::Pins).join(label))
        } else {
            Err(StoreError::PinLabel {
                label: label.chars().take(LABEL_LIMIT).collect(),
            })
        }
    }
}

fn read_pin(path: &Path) -> Result<Pinned, StoreError> {
    let bytes = disk::read(path, PIN_LIMIT)?;
    let line = str::from_utf8(&bytes).ok();
    let line = line.and_then(|text| text.strip_suffix('\n'));
    line.and_then(Pinned::parse).ok_or_else(|| foreign(path))
}

fn foreign(path: &Path) -> StoreError {
    StoreError::Foreign {
        path: path.to_owned(),
    }
}

/// The name of the pin that lies there, if it can have that name.
pub(crate) fn parse_label(path: &Path) -> Option<String> {
    let label = path.file_name()?.to_str()?;
    is_label(label).then(|| label.to_owned())
}

/// Whether a pin may have that name. It is a file name everywhere, and hidden nowhere.
fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=LABEL_LIMIT).contains(&label.len()) && !label.starts_with('.') && label.bytes().all(plain)
}
