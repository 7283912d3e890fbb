//! Why an action cannot be executed again here, which says nothing about what it gave.

use std::borrow::Cow;

use assay_core::{Advice, ArtifactHash};
use assay_store::StoreError;

use crate::device::DeviceError;
use crate::environment::Unmet;
use crate::stored_training::StoredTrainingError;
use crate::supervise::Failure;
use crate::trust::Untrusted;

/// Why an action cannot be executed again here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// It was executed in an environment that there is not here.
    #[error("needs another environment: {}", list(.0))]
    Environment(Vec<Unmet>),
    /// It was executed on a card, and there is none to be had.
    #[error("needs a card")]
    Device(#[source] DeviceError),
    /// Its plugin may not run.
    #[error("needs a plugin that may not run")]
    Untrusted(#[source] Untrusted),
    /// Part of what it needs is not in the store.
    #[error("needs {what}")]
    Missing {
        /// The missing part.
        what: String,
        /// The store's error.
        source: StoreError,
    },
    /// A file of what it needs is not in the store.
    #[error("needs {what}, and a file of the artifact {artifact} is missing or damaged")]
    Damaged {
        /// Role of the artifact for the action, in words.
        what: String,
        /// The artifact.
        artifact: ArtifactHash,
    },
    /// The epochs of the training that it is a part of cannot be read.
    #[error("needs the training that it is a part of")]
    Training(#[source] StoredTrainingError),
    /// The files that its dataset is made of are not here.
    #[error("needs the files that its dataset is made of")]
    Source(#[source] Failure),
}

impl Advice for Obstacle {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Environment(_) => {
                "use such a machine and version, or compare nevertheless with --anyway".into()
            }
            Self::Device(error) => error.help(),
            Self::Untrusted(untrusted) => untrusted.help(),
            Self::Training(error) => error.help(),
            Self::Missing { .. } | Self::Damaged { .. } => {
                "`pipeline audit` says what else is missing or damaged".into()
            }
            Self::Source(_) => {
                "name the folder that has them with --data-dir, or set ASSAY_DATA_DIR".into()
            }
        }
    }
}

fn list(unmet: &[Unmet]) -> String {
    let words: Vec<_> = unmet.iter().map(Unmet::to_string).collect();
    words.join("; ")
}
