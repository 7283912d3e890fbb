//! A training in the store: its setup and its metrics.

use std::borrow::Cow;
use std::path::PathBuf;

use assay_core::{Advice, ArtifactHash};
use assay_report::{MetricRow, TableError, read_metrics};
use assay_store::{DOCUMENT_LIMIT, Store, StoreError};

use crate::stages::{METRICS, TRAINING, TrainingDocument};

/// Why a training in the store cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredTrainingError {
    /// The store failed, or the artifact is not that of a training.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its metrics cannot be read, or written again.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Its setup cannot be read.
    #[error("cannot read {}", path.display())]
    Setup {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Advice for StoredTrainingError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Store(error) => error.help(),
            Self::Table(_) | Self::Setup { .. } => {
                "`pipeline audit` says what is damaged in the store".into()
            }
        }
    }
}

/// The setup and the metrics of a training.
pub(crate) struct StoredTraining {
    pub(crate) setup: TrainingDocument,
    pub(crate) metrics: Vec<MetricRow>,
}

impl StoredTraining {
    /// Reads the training that gave `artifact`.
    ///
    /// # Errors
    /// The artifact is not that of a training, or a file of it is missing or damaged.
    pub(crate) fn read(store: &Store, artifact: ArtifactHash) -> Result<Self, StoredTrainingError> {
        let path = store.artifact_file_path(artifact, TRAINING)?;
        let read = assay_files::read_itself(&path, DOCUMENT_LIMIT);
        let setup = read.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
        let setup = setup.map_err(|source| StoredTrainingError::Setup { path, source })?;
        let metrics = read_metrics(&store.artifact_file_path(artifact, METRICS)?)?;
        Ok(Self { setup, metrics })
    }
}
