//! An artifact: the named files that an action left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canonical::{CanonicalError, canonical_json};
use crate::hash::{ArtifactHash, ObjectHash};

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactFile {
    /// The object with its bytes.
    pub object: ObjectHash,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

/// A manifest: the files of an artifact by name. Its canonical JSON is itself an object, whose
/// hash is the artifact's identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// The files by name.
    pub files: BTreeMap<String, ArtifactFile>,
}

/// A file name that no artifact may hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a plain file name")]
pub struct InvalidFileName(pub String);

impl Artifact {
    /// The manifest and its hash.
    ///
    /// # Errors
    /// A size beyond 2^53.
    pub fn document(&self) -> Result<(ArtifactHash, Vec<u8>), CanonicalError> {
        let bytes = canonical_json(self)?;
        Ok((ArtifactHash::of(&bytes), bytes))
    }

    /// The object of each file, and its size in bytes.
    pub fn objects(&self) -> impl Iterator<Item = (ObjectHash, u64)> {
        self.files.values().map(|file| (file.object, file.size))
    }

    /// Refuses names that would leave the folder an artifact is laid out in.
    ///
    /// # Errors
    /// The first such name.
    pub fn check_names(&self) -> Result<(), InvalidFileName> {
        match self.files.keys().find(|name| !is_plain(name)) {
            Some(name) => Err(InvalidFileName(name.clone())),
            None => Ok(()),
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', '\0'])
}
