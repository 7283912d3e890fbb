//! Parts of trainings. A training that keeps states (`keep_state_every`) can be executed from one of
//! them to the next, which is all that it takes to check these epochs: the state at their end and
//! everything measured in them come out again, or do not.

use std::collections::BTreeMap;
use std::fmt;

use assay_core::{
    Action, ActionKey, Artifact, ArtifactFile, ArtifactHash, StageKind, canonical_json,
};
use assay_report::{ErrorMeasure, MetricRow, write_metrics};
use assay_store::{Store, StoreError};
use serde_json::Value;

use super::Target;
use crate::stages::{
    BEST, EPOCHS, FINAL, METRICS, TRAINING, TrainingDocument, kept_epoch, kept_state,
};
use crate::stored_training::{StoredTraining, StoredTrainingError};

/// Epochs of a training, from one state that there is to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The epoch before the first; 0 at the beginning of a training.
    pub after: u32,
    /// The last epoch.
    pub last: u32,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.after + 1;
        if first == self.last {
            write!(f, "epoch {first}")
        } else {
            write!(f, "epochs {first} to {}", self.last)
        }
    }
}

impl Target {
    /// The parts of the target, if it is a training that kept states; else the target itself.
    pub fn parts(self, store: &Store) -> Vec<Self> {
        // Of what cannot be read, nothing is executed, which is found out where that is tried.
        let ends = ends(store, &self).unwrap_or_default();
        if ends.len() < 2 {
            return vec![self];
        }
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let parts = begins.zip(&ends).map(|(after, &last)| {
            let part = Part { after, last };
            Self {
                name: format!("{}, {part}", self.name),
                part: Some(part),
                ..self.clone()
            }
        });
        parts.collect()
    }
}

/// The last epoch of each part of a training: those whose states it kept, and its own. None of another action.
fn ends(store: &Store, target: &Target) -> Result<Vec<u32>, StoreError> {
    let action = store.action(target.action)?;
    let epochs = action.parameters.get(EPOCHS);
    let epochs = epochs.and_then(Value::as_u64);
    let epochs = epochs.and_then(|epochs| u32::try_from(epochs).ok());
    let (StageKind::Train, Some(epochs)) = (action.kind, epochs) else {
        return Ok(Vec::new());
    };
    let files = store.artifact(target.recorded)?.files;
    let kept = files.keys().filter_map(|name| kept_epoch(name));
    let kept = kept.filter(|kept| (1..epochs).contains(kept));
    Ok(kept.chain([epochs]).collect())
}

/// Execution of a target, or of a part of it.
pub(super) struct Portion {
    /// The action to execute.
    pub(super) key: ActionKey,
    /// The artifact whose end it begins at.
    pub(super) earlier: Option<ArtifactHash>,
    expected: Expected,
}

/// An artifact that is to come out.
enum Expected {
    /// One that was recorded.
    Recorded(ArtifactHash),
    /// That of a training which ended earlier.
    Ended {
        artifact: Artifact,
        /// True if the state after its best epoch is known.
        is_best_known: bool,
    },
}

impl Portion {
    /// The whole of the target.
    pub(super) fn whole(target: &Target) -> Self {
        Self {
            key: target.action,
            earlier: None,
            expected: Expected::Recorded(target.recorded),
        }
    }

    /// A part of the target: the same training, ended at the part's last epoch.
    ///
    /// # Errors
    /// The recorded training cannot be read, or the store cannot be written.
    pub(super) fn part(
        store: &Store,
        target: &Target,
        mut action: Action,
        part: Part,
    ) -> Result<Self, StoredTrainingError> {
        let recorded = RecordedTraining {
            store,
            training: StoredTraining::read(store, target.recorded)?,
            files: store.artifact(target.recorded)?.files,
            artifact: target.recorded,
        };
        let begin = recorded.begin(part)?;
        let earlier = begin.as_ref().map(|begin| store.put_artifact(begin));
        let expected = if part.last == recorded.training.setup.parameters.epochs {
            Expected::Recorded(target.recorded)
        } else {
            recorded.end(part, begin.as_ref())?
        };
        action
            .parameters
            .insert(EPOCHS.to_owned(), part.last.into());
        Ok(Self {
            key: store.put_action(&action)?,
            earlier: earlier.transpose()?,
            expected,
        })
    }

    /// The artifact that was to come out, where `came` did.
    ///
    /// # Errors
    /// The store failed.
    pub(super) fn expected(
        &self,
        store: &Store,
        came: ArtifactHash,
    ) -> Result<ArtifactHash, StoreError> {
        match &self.expected {
            Expected::Recorded(artifact) => Ok(*artifact),
            Expected::Ended {
                artifact,
                is_best_known: true,
            } => store.put_artifact(artifact),
            // The best state until then was replaced by a better one, and nobody has it to compare with.
            Expected::Ended { artifact, .. } => {
                let mut artifact = artifact.clone();
                if let Some(best) = store.artifact(came)?.files.remove(BEST) {
                    artifact.files.insert(BEST.to_owned(), best);
                }
                store.put_artifact(&artifact)
            }
        }
    }
}

/// A training in the store, and what its artifact would be had it ended earlier.
struct RecordedTraining<'a> {
    store: &'a Store,
    training: StoredTraining,
    files: BTreeMap<String, ArtifactFile>,
    artifact: ArtifactHash,
}

impl RecordedTraining<'_> {
    /// The artifact that the part begins at, unless that is the beginning of the training. Its best state may be
    /// another than it was: the state at the end stands in for one that nobody has.
    fn begin(&self, part: Part) -> Result<Option<Artifact>, StoredTrainingError> {
        if part.after == 0 {
            return Ok(None);
        }
        let state = self.state(part.after)?;
        let best = self.best(part.after).unwrap_or(state);
        self.ended(part.after, state, Some(best)).map(Some)
    }

    /// The artifact at the end of a part that began at the artifact `begin`.
    fn end(&self, part: Part, begin: Option<&Artifact>) -> Result<Expected, StoredTrainingError> {
        let is_best_earlier = self.best_epoch(part.last) == self.best_epoch(part.after);
        let at_begin = begin.and_then(|begin| begin.files.get(BEST));
        let best = match at_begin {
            Some(best) if is_best_earlier => Some(best),
            _ => self.best(part.last),
        };
        Ok(Expected::Ended {
            artifact: self.ended(part.last, self.state(part.last)?, best)?,
            is_best_known: best.is_some(),
        })
    }

    /// The artifact of the training, had it ended after `epoch` in `state`.
    fn ended(
        &self,
        epoch: u32,
        state: &ArtifactFile,
        best: Option<&ArtifactFile>,
    ) -> Result<Artifact, StoredTrainingError> {
        let rows = self.training.metrics.iter();
        let rows: Vec<MetricRow> = rows.filter(|row| row.epoch <= epoch).cloned().collect();
        let metrics = self.store.empty_temporary()?.into_temp_path();
        write_metrics(&metrics, &rows)?;
        let metrics = self.store.put_file(&metrics)?;
        let mut setup: TrainingDocument = self.training.setup.clone();
        setup.parameters.epochs = epoch;
        setup.best_epoch = self.best_epoch(epoch);
        setup.diverged_in_epoch = None;
        let setup = canonical_json(&setup).map_err(StoreError::canonical("training"))?;
        let setup = (self.store.put_bytes(&setup)?, setup.len() as u64);
        let mut files = self.files.clone();
        files.retain(|name, _| kept_epoch(name).is_some_and(|kept| kept < epoch));
        for (name, (object, size)) in [(METRICS, metrics), (TRAINING, setup)] {
            let media_type = self.file(name)?.media_type.clone();
            let file = ArtifactFile {
                object,
                size,
                media_type,
            };
            files.insert(name.to_owned(), file);
        }
        files.insert(FINAL.to_owned(), state.clone());
        files.extend(best.map(|best| (BEST.to_owned(), best.clone())));
        Ok(Artifact { files })
    }

    fn file(&self, name: &str) -> Result<&ArtifactFile, StoreError> {
        let file = self.files.get(name);
        file.ok_or_else(|| StoreError::NoSuchFile {
            artifact: self.artifact,
            name: name.to_owned(),
        })
    }

    /// The state after an epoch that has been kept.
    fn state(&self, epoch: u32) -> Result<&ArtifactFile, StoreError> {
        self.file(&kept_state(epoch))
    }

    /// The state after the best of the first epochs, if there is one that is known.
    fn best(&self, epochs: u32) -> Option<&ArtifactFile> {
        let best = self.best_epoch(epochs);
        if best == self.training.setup.best_epoch {
            self.files.get(BEST)
        } else {
            self.files.get(&kept_state(best))
        }
    }

    /// The best of the first epochs, as the training chose it; 0 if there are none.
    fn best_epoch(&self, epochs: u32) -> u32 {
        let StoredTraining { setup, metrics } = &self.training;
        let error = ErrorMeasure::of(setup.parameters.network.task()).metric;
        let chosen_on =
            |row: &&MetricRow| row.metric == error && row.split.to_string() == setup.best_chosen_on;
        let rows = metrics.iter().filter(chosen_on);
        let rows = rows.filter(|row| row.epoch <= epochs);
        // The first of equal epochs.
        let best = rows.min_by(|one, other| one.value.total_cmp(&other.value));
        best.map_or(0, |row| row.epoch)
    }
}
