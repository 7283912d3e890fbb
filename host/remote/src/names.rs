//! The user's names of remotes: a small TOML file. It has no credentials, and no place is asked here.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use assay_files::{PRIVATE, replace};
use serde::{Deserialize, Serialize};

use crate::error::RemoteError;
use crate::place::Place;

/// Thousands of names fit in it.
const LARGEST: u64 = 1 << 20;
const HEADER: &str =
    "# Names of remotes. `pipeline remote add` and `pipeline remote remove` write this file.\n";

/// The names of remotes, and their places.
#[derive(Debug)]
pub struct RemoteNames {
    path: PathBuf,
    document: Document,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    remote: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    place: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    look_up: Option<LookUpTrust>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// Whose results at a remote count in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookUpTrust {
    /// Those that the user has signed.
    Mine,
    /// Those that somebody has signed whose key the user trusts.
    Signed,
    /// All of them.
    Any,
}

impl LookUpTrust {
    /// As the file has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Signed => "signed",
            Self::Any => "any",
        }
    }
}

/// A remote that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedRemote<'a> {
    /// The name.
    pub name: &'a str,
    /// The place, as it was given.
    pub place: &'a str,
    /// Whose results there count in a run, if runs ask it.
    pub look_up: Option<LookUpTrust>,
    /// The URL below which anybody can read it, as it was given.
    pub url: Option<&'a str>,
}

impl RemoteNames {
    /// Reads the file; without one there are no names.
    ///
    /// # Errors
    /// It cannot be read, or is no file of remotes.
    pub fn read(path: &Path) -> Result<Self, RemoteError> {
        let bytes = match assay_files::read(path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                return Err(RemoteError::Names {
                    what: "read",
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let malformed = |problem: String| RemoteError::Malformed {
            path: path.to_owned(),
            problem,
        };
        let text = String::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
        let document =
            toml::from_str(&text).map_err(|error| malformed(error.message().to_owned()))?;
        Ok(Self {
            path: path.to_owned(),
            document,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every remote that has a name.
    pub fn iter(&self) -> impl Iterator<Item = NamedRemote<'_>> {
        let entries = self.document.remote.iter();
        entries.map(|(name, entry)| NamedRemote {
            name,
            place: &entry.place,
            look_up: entry.look_up,
            url: entry.url.as_deref(),
        })
    }

    /// The place of a name, or the one that `text` itself is.
    ///
    /// # Errors
    /// It is neither.
    pub fn find(&self, text: &str) -> Result<Place, RemoteError> {
        if let Some(entry) = self.document.remote.get(text) {
            return Place::parse(&entry.place);
        }
        if text.contains('/') || text.starts_with('.') {
            return Place::parse(text);
        }
        Err(RemoteError::Unknown {
            name: text.to_owned(),
            known: self.document.remote.keys().cloned().collect(),
        })
    }

    /// The place below whose URL anybody can read the remote of this name, if it was given one.
    ///
    /// # Errors
    /// It is no URL.
    pub fn public(&self, name: &str) -> Result<Option<Place>, RemoteError> {
        let entry = self.document.remote.get(name);
        let url = entry.and_then(|entry| entry.url.as_deref());
        url.map(Place::parse).transpose()
    }

    /// Gives the place a name, in the place of one that had it. Runs ask it for results if it is said whose count,
    /// and at `url` anybody can read it.
    ///
    /// # Errors
    /// The name could be a place, the place cannot be asked for results, `url` is not a web server's or has no use,
    /// or the file cannot be written.
    pub fn add(
        &mut self,
        name: &str,
        place: &Place,
        look_up: Option<LookUpTrust>,
        url: Option<&Place>,
    ) -> Result<(), RemoteError> {
        let allowed = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
        if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
            return Err(RemoteError::Place {
                text: name.to_owned(),
                problem: "the name of a remote has letters, digits, `-` and `_` alone".to_owned(),
            });
        }
        let is_web = matches!(place, Place::Web(_));
        let place = place.to_string();
        if is_web && look_up.is_some() {
            return Err(RemoteError::NoLookUp { place });
        }
        let url = match url {
            Some(url @ Place::Web(_)) if !is_web => Some(url.to_string()),
            Some(url) => {
                let url = url.to_string();
                return Err(RemoteError::PublicUrl { url, place });
            }
            None => None,
        };
        let entry = Entry {
            place,
            look_up,
            url,
        };
        self.document.remote.insert(name.to_owned(), entry);
        self.write()
    }

    /// Forgets the name; the remote itself stays as it is.
    ///
    /// # Errors
    /// There is no such name, or the file cannot be written.
    pub fn remove(&mut self, name: &str) -> Result<(), RemoteError> {
        if self.document.remote.remove(name).is_none() {
            return Err(RemoteError::Unknown {
                name: name.to_owned(),
                known: self.document.remote.keys().cloned().collect(),
            });
        }
        self.write()
    }

    fn write(&self) -> Result<(), RemoteError> {
        let failed = |source| RemoteError::Names {
            what: "write",
            path: self.path.clone(),
            source,
        };
        let body =
            toml::to_string(&self.document).map_err(|error| failed(io::Error::other(error)))?;
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        replace(&self.path, format!("{HEADER}{body}").as_bytes(), PRIVATE).map_err(failed)
    }
}
