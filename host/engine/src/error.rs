//! Why a pipeline, or a question about a plugin, came to nothing as a whole.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::iter::successors;
use std::path::PathBuf;

use assay_core::{Advice, ArtifactHash, CanonicalError, Ending, SourceError};
use assay_files::room_advice;
use assay_store::StoreError;

use crate::device::DeviceError;
use crate::lock::LockError;
use crate::plan::UnknownStage;
use crate::plugin::PluginError;
use crate::supervise::Failure;
use crate::trust::Untrusted;

/// Why a pipeline could not be planned or run as a whole. A stage that fails is no such error.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A pipeline file, or an argument that stands for one, has errors.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// `--only` names a stage that is not there.
    #[error(transparent)]
    UnknownStage(#[from] UnknownStage),
    /// A file could not be handled.
    #[error("cannot {what} {}", path.display())]
    File {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// A file cannot be what it should be.
    #[error("{} is not {what}: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The kind of file that is expected.
        what: &'static str,
        /// Why it is not of that kind.
        reason: String,
    },
    /// A plugin's library could not be read.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A plugin's library is not trusted, and only trusted ones may run.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The lock of the pipeline file cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A plugin could not say what it offers.
    #[error("cannot ask the plugin `{plugin}` what it offers")]
    Describe {
        /// The plugin.
        plugin: String,
        /// The underlying failure.
        #[source]
        failure: Failure,
    },
    /// A check of a plugin could not be made.
    #[error("the check `{check}` could not be made")]
    Check {
        /// The check.
        check: &'static str,
        /// The underlying failure.
        #[source]
        failure: Failure,
    },
    /// The document of a check's verdict is not what this version expects.
    #[error("the verdict of the check `{check}` cannot be read")]
    Verdict {
        /// The check.
        check: &'static str,
        /// The underlying error.
        source: serde_json::Error,
    },
    /// A plugin's description is not what this version expects.
    #[error("the description of the plugin `{plugin}` cannot be read")]
    Description {
        /// The plugin.
        plugin: String,
        /// The underlying error.
        source: serde_json::Error,
    },
    /// A dataset's files are not what this version expects.
    #[error("the dataset {artifact} cannot be read")]
    Dataset {
        /// The artifact.
        artifact: ArtifactHash,
        /// The underlying error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A ranking is not what this version expects.
    #[error("the ranking {artifact} has no configuration in place {}", rank + 1)]
    Ranking {
        /// The artifact.
        artifact: ArtifactHash,
        /// The place, counted from 0.
        rank: usize,
    },
    /// An action has no canonical JSON.
    #[error("a parameter cannot be part of an action")]
    Canonical(#[source] CanonicalError),
    /// The parameters of an action have no JSON.
    #[error("a parameter cannot be part of an action")]
    Parameters(#[from] serde_json::Error),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for EngineError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::UnknownStage(error) => error.help(),
            Self::File { source, .. } => room_advice(source).into(),
            Self::Plugin(error) => error.help(),
            Self::Untrusted(error) => error.help(),
            Self::Device(error) => error.help(),
            Self::Lock(error) => error.help(),
            Self::Describe { failure, .. } | Self::Check { failure, .. } => failure.help(),
            Self::Store(error) => error.help(),
            Self::Source(_)
            | Self::Unfit { .. }
            | Self::Verdict { .. }
            | Self::Description { .. }
            | Self::Dataset { .. }
            | Self::Ranking { .. }
            | Self::Canonical(_)
            | Self::Parameters(_)
            | Self::Stopped => "".into(),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Stopped => Ending::Stopped,
            Self::Device(error) => error.ending(),
            Self::Describe { failure, .. } if failure.ending() == Ending::Stopped => {
                Ending::Stopped
            }
            _ => Ending::Refused,
        }
    }
}

/// The causes of an error, outermost first.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(error.source(), |&cause| cause.source())
}
