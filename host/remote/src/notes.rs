//! Small files of a hub beside the runs and results: what a controller and its workers tell each other. They
//! lie below `cluster`, where neither a store nor a pull looks.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use object_store::{ObjectMeta, ObjectStoreExt, PutPayload};

use crate::error::RemoteError;
use crate::place::Remote;
use crate::transfer::is_younger;

const FOLDER: &str = "cluster";

impl Remote {
    /// The bytes of a note of at most `limit`; nothing if there is none.
    ///
    /// # Errors
    /// It is larger, or the remote cannot be asked.
    pub fn read_note(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, RemoteError> {
        let name = format!("{FOLDER}/{name}");
        self.runtime.block_on(async {
            match self.size(&name).await? {
                None => Ok(None),
                Some(_) => match self.read(&name, limit, &Cell::new(limit)).await {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) => match self.size(&name).await? {
                        // It went since.
                        None => Ok(None),
                        Some(_) => Err(error),
                    },
                },
            }
        })
    }

    /// Writes a note, in the place of one that had its name.
    ///
    /// # Errors
    /// The remote cannot be written.
    pub fn write_note(&self, name: &str, bytes: Vec<u8>) -> Result<(), RemoteError> {
        let name = format!("{FOLDER}/{name}");
        let payload = PutPayload::from(Bytes::from(bytes));
        let path = self.path(&name);
        let put = self.runtime.block_on(self.written()?.put(&path, payload));
        put.map(drop).map_err(self.failed("write", &name))
    }

    /// The names of the notes below a folder, relative to it.
    ///
    /// # Errors
    /// The remote cannot be asked.
    pub fn notes(&self, folder: &str) -> Result<Vec<String>, RemoteError> {
        self.notes_that(folder, |_| true)
    }

    /// As [`Remote::notes`], for those that were written within this time.
    ///
    /// # Errors
    /// As [`Remote::notes`].
    pub fn recent_notes(&self, folder: &str, within: Duration) -> Result<Vec<String>, RemoteError> {
        self.notes_that(folder, |file| is_younger(file, within))
    }

    fn notes_that(
        &self,
        folder: &str,
        is_wanted: impl Fn(&ObjectMeta) -> bool,
    ) -> Result<Vec<String>, RemoteError> {
        let folder = format!("{FOLDER}/{folder}");
        let listed = self.runtime.block_on(self.list_files(&folder))?;
        let wanted = listed.into_iter().filter(|(_, file)| is_wanted(file));
        let names = wanted.filter_map(|(name, _)| {
            let name = name.strip_prefix(&folder)?.strip_prefix('/')?;
            Some(name.to_owned())
        });
        Ok(names.collect())
    }

    /// Removes a note, if it is there.
    ///
    /// # Errors
    /// The remote cannot be written.
    pub fn remove_note(&self, name: &str) -> Result<(), RemoteError> {
        let name = format!("{FOLDER}/{name}");
        let path = self.path(&name);
        match self.runtime.block_on(self.written()?.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", &name)(error)),
        }
    }
}
