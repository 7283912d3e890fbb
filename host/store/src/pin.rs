//! Pins: names for what a garbage collection must leave, with all that it rests on. A pin is a file
//! of one line; what it pins is known by its hash alone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::graph::Node;

use crate::disk;
use crate::error::{At, StoreError, present};
use crate::store::{Part, Store, persist};

/// The most bytes of a pin's file.
pub const PIN_LIMIT: u64 = 256;
/// The most bytes of its name.
const LABEL_LIMIT: usize = 100;

impl Store {
    /// The pins by name.
    ///
    /// # Errors
    /// The folder cannot be read, or holds what is not a pin.
    pub fn pins(&self) -> Result<BTreeMap<String, Node>, StoreError> {
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
    pub fn pin_at(&self, path: &Path) -> Result<(String, Node), StoreError> {
        let label = parse_label(path).ok_or_else(|| foreign(path))?;
        Ok((label, read_pin(path)?))
    }

    /// Pins something under a name; pinning it again changes nothing. When this returns, the pin
    /// would survive a power cut.
    ///
    /// # Errors
    /// The name cannot be one or pins something else, the object is not in the store, or the store
    /// cannot be written.
    pub fn pin(&self, label: &str, pinned: Node) -> Result<(), StoreError> {
        check_pin_label(label)?;
        let path = self.pin_path(label);
        let object = pinned.object();
        let _guard = self.hold()?;
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
        check_pin_label(label)?;
        let path = self.pin_path(label);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.at("remove the pin", &path).map(|()| true),
        }
    }

    /// Where the pin of that name lies, if there is one.
    pub fn pin_path(&self, label: &str) -> PathBuf {
        self.part(Part::Pins).join(label)
    }
}

/// Checks that a pin may have this name.
///
/// # Errors
/// It may not.
pub fn check_pin_label(label: &str) -> Result<(), StoreError> {
    if is_label(label) {
        Ok(())
    } else {
        Err(StoreError::PinLabel {
            label: label.chars().take(LABEL_LIMIT).collect(),
        })
    }
}

fn read_pin(path: &Path) -> Result<Node, StoreError> {
    let bytes = disk::read(path, PIN_LIMIT)?;
    parse_pin(&bytes).ok_or_else(|| foreign(path))
}

/// The document or file that a pin names whose file has these bytes; nothing if it is no pin.
pub fn parse_pin(bytes: &[u8]) -> Option<Node> {
    let line = str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    Node::parse(line)
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
