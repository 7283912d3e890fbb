//! Quarantine: where what is damaged is moved, each thing to a folder of its own with a note of
//! where it was and why it is not there any more. Nothing is ever deleted from here.
//!
//! The notes are also the store's memory of what it lost: bytes that no run makes again, such as
//! what a worker printed, are reported once as damage, and once noted here as a known loss.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use assay_core::ObjectHash;
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::document::DOCUMENT_LIMIT;
use crate::error::{At, StoreError, present};
use crate::store::{Part, Store};

/// The name of a note in its folder.
const NOTE: &str = "note.json";

/// The note about a file or folder in quarantine, or about an object that was not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineNote {
    /// Where it was, below the store's folder.
    pub from: String,
    /// The object that should have been there.
    pub object: Option<ObjectHash>,
    /// Why it was moved.
    pub why: String,
    /// When, in milliseconds since 1970 (UTC).
    pub moved_ms: u64,
}

impl Store {
    /// Moves a file or folder of the store to quarantine. Returns its new folder.
    ///
    /// # Errors
    /// It is not there, or cannot be moved; then nothing has changed but for the note.
    pub fn quarantine(&self, path: &Path, why: &str) -> Result<PathBuf, StoreError> {
        let folder = self.write_note(path, None, why)?;
        self.move_aside(path, &folder)?;
        Ok(folder)
    }

    /// Moves what lies in the object's place to quarantine, or notes that nothing lay there.
    /// Returns the new folder, or nothing if the object had become sound meanwhile: then it is
    /// back in its place.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn quarantine_object(
        &self,
        object: ObjectHash,
        why: &str,
    ) -> Result<Option<PathBuf>, StoreError> {
        let path = self.object_path(object);
        let folder = self.write_note(&path, Some(object), why)?;
        let moved = match self.move_aside(&path, &folder) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Some(folder));
            }
            moved => moved?,
        };
        // A run may have put the object anew between the finding and the move.
        let is_sound = disk::open(&moved)
            .and_then(|(file, entry)| disk::hash_file(&file, entry.len(), &moved, &|_| ()))
            .is_ok_and(|hashed| hashed.hash == object);
        if !is_sound {
            return Ok(Some(folder));
        }
        fs::rename(&moved, &path).at("move back", &moved)?;
        assay_files::remove(&folder).at("remove the folder", &folder)?;
        Ok(None)
    }

    /// The notes in quarantine, the oldest first. A note that cannot be parsed is passed over.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn quarantined(&self) -> Result<Vec<QuarantineNote>, StoreError> {
        let folders = present(disk::entries(&self.part(Part::Quarantine)))?;
        let mut folders = folders.unwrap_or_default();
        folders.sort_unstable();
        let read = |folder: PathBuf| {
            let bytes = disk::read(&folder.join(NOTE), DOCUMENT_LIMIT).ok()?;
            serde_json::from_slice(&bytes).ok()
        };
        Ok(folders.into_iter().filter_map(read).collect())
    }

    /// Makes a folder in quarantine for what lies at `path`, with a note about it.
    fn write_note(
        &self,
        path: &Path,
        object: Option<ObjectHash>,
        why: &str,
    ) -> Result<PathBuf, StoreError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let moved_ms = now.map_or(0, |now| now.as_millis() as u64);
        let from = path.strip_prefix(self.root()).unwrap_or(path);
        let note = QuarantineNote {
            from: from.to_string_lossy().into_owned(),
            object,
            why: why.to_owned(),
            moved_ms,
        };
        let folder = self.new_folder(moved_ms, path)?;
        let file = folder.join(NOTE);
        let bytes = serde_json::to_vec_pretty(&note).map_err(|source| StoreError::Document {
            what: "note",
            path: file.clone(),
            source,
        })?;
        fs::write(&file, bytes).at("write", &file)?;
        disk::sync(&[file, folder.clone(), self.part(Part::Quarantine)])?;
        Ok(folder)
    }

    /// `quarantine/<time>-<name>`, with a number if that is taken.
    fn new_folder(&self, moved_ms: u64, path: &Path) -> Result<PathBuf, StoreError> {
        let quarantine = self.part(Part::Quarantine);
        fs::create_dir_all(&quarantine).at("create the folder", &quarantine)?;
        let name = short_name(path);
        let mut folder = quarantine.join(format!("{moved_ms}-{name}"));
        let mut number = 2;
        loop {
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    folder = quarantine.join(format!("{moved_ms}-{name}-{number}"));
                    number += 1;
                }
                created => {
                    created.at("create the folder", &folder)?;
                    return Ok(folder);
                }
            }
        }
    }

    fn move_aside(&self, path: &Path, folder: &Path) -> Result<PathBuf, StoreError> {
        let moved = folder.join(format!("moved-{}", short_name(path)));
        fs::rename(path, &moved).at("move to quarantine", path)?;
        let from = path.parent().unwrap_or(self.root()).to_owned();
        disk::sync(&[folder.to_owned(), from])?;
        Ok(moved)
    }
}

/// The beginning of its name, which a note has in full: with what is put before it, it must not be
/// longer than a name may be.
fn short_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.chars().take(40).collect()
}
