//! The curves of a run's trainings in TensorBoard's format, while it runs.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use assay_core::StageKind;
use assay_report::{ScalarFile, safe_name, stage_folder};
use assay_store::Store;

use super::{Event, Observer, RunEvent, stored_curve};
use crate::event::Epoch;

/// A folder of TensorBoard, which gets a folder for the run and in it one for each training. What cannot
/// be written costs the run nothing; [`TensorBoardFolder::failure`] says why.
#[derive(Debug)]
pub struct TensorBoardFolder<'a> {
    folder: PathBuf,
    store: &'a Store,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The folder of the run.
    run: PathBuf,
    id: String,
    trainings: HashSet<String>,
    /// The files of the trainings that a worker is at.
    open: HashMap<String, ScalarFile>,
    failure: Option<io::Error>,
}

impl<'a> TensorBoardFolder<'a> {
    /// Writes below `folder`, which is made if it is not there; trainings that are cached have their
    /// curves in `store`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(folder: &Path, store: &'a Store) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            store,
            state: Mutex::default(),
        })
    }

    /// Why a curve was not written.
    pub fn failure(self) -> Option<io::Error> {
        let state = self.state.into_inner();
        state.unwrap_or_else(PoisonError::into_inner).failure
    }

    fn write(&self, state: &mut State, event: &RunEvent) -> io::Result<()> {
        let moment_ms = event.time_ms;
        match &event.event {
            Event::RunStarted {
                pipeline, stages, ..
            } => {
                let name = format!("{pipeline}-{}", event.id);
                state.run = self.folder.join(safe_name(&name));
                state.id.clone_from(&event.id);
                let trainings = stages.iter().filter(|it| it.kind == StageKind::Train);
                state.trainings = trainings.map(|it| it.stage.clone()).collect();
            }
            Event::Epoch { stage, epoch } => add(state.file(stage, moment_ms)?, moment_ms, epoch)?,
            Event::StageCached {
                stage, artifact, ..
            } if state.trainings.contains(stage) => {
                // One that cannot be read has no curve; the run itself says what is damaged.
                let curve = stored_curve(self.store, *artifact).unwrap_or_default();
                let file = state.file(stage, moment_ms)?;
                for epoch in &curve {
                    add(file, moment_ms, epoch)?;
                }
                state.open.remove(stage);
            }
            Event::StageFinished { stage, .. }
            | Event::StageFailed { stage, .. }
            | Event::StageStopped { stage } => drop(state.open.remove(stage)),
            _ => {}
        }
        Ok(())
    }
}

impl State {
    /// The open file of a training.
    fn file(&mut self, stage: &str, moment_ms: u64) -> io::Result<&mut ScalarFile> {
        match self.open.entry(stage.to_owned()) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(place) => {
                let folder = stage_folder(&self.run, stage);
                Ok(place.insert(ScalarFile::create(&folder, &self.id, moment_ms)?))
            }
        }
    }
}

/// Adds the values of an epoch, as far as they were reported.
fn add(file: &mut ScalarFile, moment_ms: u64, epoch: &Epoch) -> io::Result<()> {
    let scalars = epoch.measured.iter().flat_map(|(split, metrics)| {
        let metrics = metrics.iter();
        metrics.map(|(metric, value)| (metric.as_str(), split.as_str(), *value))
    });
    file.add(moment_ms, epoch.epoch, scalars)
}

/// Writes the curve of a training whose result is in the store into `folder`, which must hold no file of
/// this name yet.
///
/// # Errors
/// The file cannot be written.
pub fn write_scalars(folder: &Path, name: &str, moment_ms: u64, curve: &[Epoch]) -> io::Result<()> {
    let mut file = ScalarFile::create(folder, name, moment_ms)?;
    curve
        .iter()
        .try_for_each(|epoch| add(&mut file, moment_ms, epoch))
}

impl Observer for TensorBoardFolder<'_> {
    fn observe(&self, event: &RunEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failure.is_none() {
            state.failure = self.write(&mut state, event).err();
        }
    }
}
