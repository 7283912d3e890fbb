//! Checkpoints of a training: everything needed to go on as if it had never stopped, the states that
//! its artifact is to keep included.
//!
//! A checkpoint is a folder that is written under another name and renamed when its files are
//! on disk, so that whatever is found under the right name is whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use assay_core::{ArtifactHash, ObjectHash};
use serde::{Deserialize, Serialize};

use crate::stages::{StageError, read, read_document, write, write_document};

/// A training after some epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoint {
    pub(super) progress: TrainingProgress,
    /// The learner's state after the last finished epoch.
    pub(super) state: Vec<u8>,
    /// The learner's state after the best epoch so far.
    pub(super) best: Vec<u8>,
    /// The states that the artifact keeps, by epoch.
    pub(super) kept: BTreeMap<u32, KeptState>,
}

/// A state that the artifact keeps.
#[derive(Clone, Debug)]
pub(super) enum KeptState {
    /// The state of the checkpoint itself, which is written with it.
    Current,
    /// A file of an earlier checkpoint, or of the shorter training that this one went on from.
    File {
        /// The file.
        path: PathBuf,
        /// Its hash.
        hash: ObjectHash,
    },
}

/// (epoch, split, metric, value).
pub(super) type ProgressRow = (u32, String, String, f64);

/// Progress of a training up to its last finished epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrainingProgress {
    /// The last finished epoch.
    pub(super) epoch: u32,
    pub(super) best_epoch: u32,
    /// The error after the best epoch.
    pub(super) best_error: Option<f64>,
    pub(super) rows: Vec<ProgressRow>,
    /// Time spent so far, in milliseconds.
    pub(super) elapsed_ms: u64,
    /// The artifact of a shorter training that it went on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) continued_from: Option<ArtifactHash>,
    /// The time of the training pass of each epoch since then, in milliseconds.
    #[serde(default)]
    pub(super) epoch_ms: Vec<u64>,
    /// The multiply-adds for each sample in the last of those epochs.
    #[serde(default)]
    pub(super) multiply_adds: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    progress: TrainingProgress,
    state: ObjectHash,
    best: ObjectHash,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    kept: BTreeMap<u32, ObjectHash>,
}

const DOCUMENT: &str = "checkpoint.json";
const STATE: &str = "state.safetensors";
const BEST: &str = "best.safetensors";
const PREFIX: &str = "checkpoint-";

/// The file with the state after an epoch that the artifact keeps.
pub(crate) fn kept_state(epoch: u32) -> String {
    format!("state-{epoch:07}.safetensors")
}

/// The epoch whose state the artifact's file of that name keeps.
pub(crate) fn kept_epoch(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("state-")?.strip_suffix(".safetensors")?;
    let epoch = digits.parse().ok()?;
    (kept_state(epoch) == name).then_some(epoch)
}

/// Writes `checkpoint` and removes the ones before it. The states that it keeps are files of it then.
pub(super) fn save(scratch: &Path, checkpoint: &mut Checkpoint) -> Result<(), StageError> {
    let unfinished = scratch.join("checkpoint.unfinished");
    remove(&unfinished)?;
    fs::create_dir(&unfinished).map_err(failed("create", &unfinished))?;
    let state = ObjectHash::of(&checkpoint.state);
    write(&unfinished.join(STATE), &checkpoint.state)?;
    write(&unfinished.join(BEST), &checkpoint.best)?;
    let mut kept = BTreeMap::new();
    for (&epoch, it) in &checkpoint.kept {
        let name = unfinished.join(kept_state(epoch));
        let hash = match it {
            KeptState::Current => {
                link(&unfinished.join(STATE), &name)?;
                state
            }
            // A file of the store stays the only name of its bytes.
            KeptState::File { path, hash } if path.starts_with(scratch) => {
                link(path, &name)?;
                *hash
            }
            KeptState::File { path, hash } => {
                copy(path, &name)?;
                *hash
            }
        };
        kept.insert(epoch, hash);
    }
    let document = Document {
        progress: checkpoint.progress.clone(),
        state,
        best: ObjectHash::of(&checkpoint.best),
        kept,
    };
    write_document(&unfinished.join(DOCUMENT), &document)?;
    let kept = document.kept.keys().copied().map(kept_state);
    let names = [STATE, BEST, DOCUMENT].map(str::to_owned);
    for name in names.into_iter().chain(kept) {
        sync(&unfinished.join(name))?;
    }
    sync(&unfinished)?;
    let finished = scratch.join(format!("{PREFIX}{:07}", checkpoint.progress.epoch));
    remove(&finished)?;
    fs::rename(&unfinished, &finished).map_err(failed("rename", &unfinished))?;
    sync(scratch)?;
    checkpoint.kept = files(&finished, document.kept);
    for older in found(scratch)? {
        if older != finished {
            remove(&older)?;
        }
    }
    Ok(())
}

/// The kept states of the checkpoint in `folder`.
fn files(folder: &Path, kept: BTreeMap<u32, ObjectHash>) -> BTreeMap<u32, KeptState> {
    let file = |(epoch, hash)| {
        let path = folder.join(kept_state(epoch));
        (epoch, KeptState::File { path, hash })
    };
    kept.into_iter().map(file).collect()
}

/// Gives the file `path` another name, or copies it where the file system has no links.
fn link(path: &Path, name: &Path) -> Result<(), StageError> {
    match fs::hard_link(path, name) {
        Ok(()) => Ok(()),
        Err(_) => copy(path, name),
    }
}

/// Copies a file; the copy can be written to.
pub(super) fn copy(path: &Path, name: &Path) -> Result<(), StageError> {
    write(name, &read(path)?)
}

/// The folder of the newest checkpoint in a training's scratch folder, if there is one. Whether its files are
/// whole is not looked at.
pub fn newest_checkpoint(scratch: &Path) -> Option<PathBuf> {
    found(scratch).ok()?.into_iter().max()
}

/// The newest checkpoint that is whole, if there is one. A damaged one is as good as none: the
/// training then starts earlier and comes to the same end.
pub(super) fn load(scratch: &Path) -> Result<Option<Checkpoint>, StageError> {
    let mut folders = found(scratch)?;
    folders.sort();
    Ok(folders.iter().rev().find_map(|folder| read_whole(folder)))
}

fn read_whole(folder: &Path) -> Option<Checkpoint> {
    let document: Document = read_document(&folder.join(DOCUMENT)).ok()?;
    let state = read(&folder.join(STATE)).ok()?;
    let best = read(&folder.join(BEST)).ok()?;
    let is_kept = |(&epoch, &hash): (&u32, &ObjectHash)| {
        let bytes = read(&folder.join(kept_state(epoch)));
        bytes.is_ok_and(|bytes| ObjectHash::of(&bytes) == hash)
    };
    let whole = ObjectHash::of(&state) == document.state
        && ObjectHash::of(&best) == document.best
        && document.kept.iter().all(is_kept);
    whole.then_some(Checkpoint {
        progress: document.progress,
        state,
        best,
        kept: files(folder, document.kept),
    })
}

fn found(scratch: &Path) -> Result<Vec<PathBuf>, StageError> {
    let entries = fs::read_dir(scratch).map_err(failed("list", scratch))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
        })
        .collect())
}

fn remove(folder: &Path) -> Result<(), StageError> {
    assay_files::remove(folder).map_err(failed("remove", folder))
}

fn sync(path: &Path) -> Result<(), StageError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed("flush", path))
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StageError {
    let path = path.to_owned();
    move |source| StageError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(epoch: u32) -> Checkpoint {
        Checkpoint {
            progress: TrainingProgress {
                epoch,
                best_epoch: 1,
                best_error: Some(0.1 + 0.2),
                rows: vec![(epoch, "test".to_owned(), "loss".to_owned(), 1.0 / 3.0)],
                elapsed_ms: 5,
                continued_from: None,
                epoch_ms: vec![3],
                multiply_adds: Some(9),
            },
            state: vec![epoch as u8; 9],
            best: vec![1; 7],
            kept: BTreeMap::new(),
        }
    }

    #[test]
    fn the_newest_checkpoint_comes_back_exactly() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(load(scratch.path()).unwrap().is_none());
        for epoch in [1, 2, 10] {
            save(scratch.path(), &mut checkpoint(epoch)).unwrap();
        }
        let loaded = load(scratch.path()).unwrap().unwrap();
        assert_eq!(loaded.progress, checkpoint(10).progress);
        assert_eq!((loaded.state, loaded.best), (vec![10; 9], vec![1; 7]));
        assert_eq!(
            found(scratch.path()).unwrap().len(),
            1,
            "older ones are removed"
        );
    }

    #[test]
    fn a_damaged_checkpoint_counts_as_none() {
        let scratch = tempfile::tempdir().unwrap();
        save(scratch.path(), &mut checkpoint(3)).unwrap();
        let folder = &found(scratch.path()).unwrap()[0];
        fs::write(folder.join(STATE), [9; 9]).unwrap();
        assert!(load(scratch.path()).unwrap().is_none());
        fs::write(folder.join(DOCUMENT), b"{").unwrap();
        assert!(load(scratch.path()).unwrap().is_none());
    }

    #[test]
    fn kept_states_go_from_checkpoint_to_checkpoint() {
        let scratch = tempfile::tempdir().unwrap();
        let mut training = checkpoint(2);
        training.kept.insert(2, KeptState::Current);
        save(scratch.path(), &mut training).unwrap();
        for epoch in [3, 4] {
            training = Checkpoint {
                kept: training.kept,
                ..checkpoint(epoch)
            };
            if epoch == 4 {
                training.kept.insert(4, KeptState::Current);
            }
            save(scratch.path(), &mut training).unwrap();
        }
        let loaded = load(scratch.path()).unwrap().unwrap();
        assert_eq!(loaded.kept.keys().copied().collect::<Vec<_>>(), [2, 4]);
        for (epoch, kept) in &loaded.kept {
            let KeptState::File { path, hash } = kept else {
                panic!("{kept:?}");
            };
            let bytes = fs::read(path).unwrap();
            assert_eq!(bytes, vec![*epoch as u8; 9]);
            assert_eq!(*hash, ObjectHash::of(&bytes));
        }
        let folder = &found(scratch.path()).unwrap()[0];
        fs::remove_file(folder.join(kept_state(2))).unwrap();
        assert!(load(scratch.path()).unwrap().is_none(), "it is not whole");
    }
}
