//! Checkpoints of trainings in the hub, so that a job that was preempted goes on on another machine. They are the
//! folders that a training leaves in its scratch folder, whose content it checks itself when it goes on from one.

use std::fs;
use std::path::Path;
use std::time::Instant;

use assay_core::ActionKey;
use assay_engine::newest_checkpoint;
use assay_remote::RemoteError;
use assay_store::Store;

use crate::hub::Hub;

/// The file of a checkpoint without which it is none; it is written last.
const DOCUMENT: &str = "checkpoint.json";
/// The beginning of the name of a checkpoint, before the number of its epoch.
const PREFIX: &str = "checkpoint-";
/// A checkpoint is not larger: of a hub that went wrong nobody believes sizes.
const LARGEST: u64 = 64 << 30;
/// Writing checkpoints to the hub takes at most the share 1 / so much of a job's time.
const SHARE: u32 = 20;

/// The checkpoints of one action, between the machine and the hub.
pub(crate) struct Checkpoints<'a> {
    hub: &'a Hub,
    store: &'a Store,
    key: ActionKey,
    /// The one that was written or fetched last.
    last: Option<String>,
    next: Instant,
}

impl<'a> Checkpoints<'a> {
    pub(crate) fn new(hub: &'a Hub, store: &'a Store, key: ActionKey) -> Self {
        Self {
            hub,
            store,
            key,
            last: None,
            next: Instant::now(),
        }
    }

    /// Fetches the newest checkpoint of the hub, if the machine has none that is as new.
    pub(crate) fn fetch(&mut self) -> Result<(), RemoteError> {
        let Some(newest) = self.in_hub()?.pop() else {
            return Ok(());
        };
        let scratch = self.store.scratch(self.key)?;
        let own = newest_checkpoint(&scratch).and_then(|own| name(&own));
        if own.is_some_and(|own| own >= newest) {
            return Ok(());
        }
        let unfinished = scratch.join("fetched.unfinished");
        let folder = format!("checkpoints/{}/{newest}", self.key);
        let fetched = self
            .hub
            .remote
            .notes(&folder)?
            .into_iter()
            .try_for_each(|file| {
                let bytes = self
                    .hub
                    .remote
                    .read_note(&format!("{folder}/{file}"), LARGEST)?;
                // A name of several parts is none that a training wrote.
                if let (Some(bytes), false) = (bytes, file.contains('/')) {
                    fs::create_dir_all(&unfinished)
                        .and_then(|()| fs::write(unfinished.join(&file), bytes))
                        .map_err(RemoteError::Here)?;
                }
                Ok::<_, RemoteError>(())
            });
        let placed = fetched.and_then(|()| {
            fs::rename(&unfinished, scratch.join(&newest)).map_err(RemoteError::Here)
        });
        if placed.is_err() {
            // Whatever is left there is emptied with the scratch folder.
            let _ = assay_files::remove(&unfinished);
        }
        placed?;
        self.last = Some(newest);
        Ok(())
    }

    /// Writes the newest checkpoint to the hub, unless that would take too much of the time.
    pub(crate) fn offer(&mut self) -> Result<(), RemoteError> {
        if Instant::now() < self.next {
            return Ok(());
        }
        let started = Instant::now();
        let offered = self.offer_now();
        self.next = Instant::now() + started.elapsed() * SHARE;
        offered
    }

    /// Writes the newest checkpoint to the hub, and removes the ones before it there.
    pub(crate) fn offer_now(&mut self) -> Result<(), RemoteError> {
        let scratch = self.store.scratch(self.key)?;
        let Some(folder) = newest_checkpoint(&scratch) else {
            return Ok(());
        };
        let Some(newest) = name(&folder).filter(|newest| self.last.as_ref() != Some(newest)) else {
            return Ok(());
        };
        let Some(files) = files(&folder) else {
            // The training has just replaced it by a newer one.
            return Ok(());
        };
        for (file, bytes) in files {
            let note = format!("checkpoints/{}/{newest}/{file}", self.key);
            self.hub.remote.write_note(&note, bytes)?;
        }
        for older in self.in_hub()?.into_iter().filter(|older| *older < newest) {
            self.remove_one(&older)?;
        }
        self.last = Some(newest);
        Ok(())
    }

    /// Removes the action's checkpoints from the hub.
    pub(crate) fn remove(&self) -> Result<(), RemoteError> {
        self.in_hub()?
            .iter()
            .try_for_each(|checkpoint| self.remove_one(checkpoint))
    }

    /// The whole checkpoints in the hub, the newest last.
    fn in_hub(&self) -> Result<Vec<String>, RemoteError> {
        whole_checkpoints(self.hub, self.key)
    }

    fn remove_one(&self, checkpoint: &str) -> Result<(), RemoteError> {
        let folder = format!("checkpoints/{}/{checkpoint}", self.key);
        // The document first: without it the rest is no checkpoint.
        self.hub
            .remote
            .remove_note(&format!("{folder}/{DOCUMENT}"))?;
        for file in self.hub.remote.notes(&folder)? {
            self.hub.remote.remove_note(&format!("{folder}/{file}"))?;
        }
        Ok(())
    }
}

/// The names of the action's whole checkpoints in the hub, the newest last.
pub(crate) fn whole_checkpoints(hub: &Hub, key: ActionKey) -> Result<Vec<String>, RemoteError> {
    let notes = hub.remote.notes(&format!("checkpoints/{key}"))?;
    let whole = notes.iter().filter_map(|note| {
        let (checkpoint, file) = note.split_once('/')?;
        let number = checkpoint.strip_prefix(PREFIX)?;
        let is_one = file == DOCUMENT && number.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| checkpoint.to_owned())
    });
    let mut whole: Vec<_> = whole.collect();
    whole.sort();
    Ok(whole)
}

fn name(folder: &Path) -> Option<String> {
    Some(folder.file_name()?.to_str()?.to_owned())
}

/// The files of a checkpoint, its document last; nothing if it is being removed.
fn files(folder: &Path) -> Option<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        files.push((name(&path)?, assay_files::read(&path, LARGEST).ok()?));
    }
    files.sort_by_key(|(name, _)| name == DOCUMENT);
    files
        .last()
        .is_some_and(|(name, _)| name == DOCUMENT)
        .then_some(files)
}
