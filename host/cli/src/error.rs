//! Everything that can end a verb, and the exit code it ends with.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use assay_audit::AuditError;
use assay_bundle::BundleError;
use assay_data::sheet::SheetError;
use assay_engine::{
    DeviceError, EngineError, Failure, InvalidTensors, NoAction, Obstacle, SignatureError,
    TrustError,
};
use assay_report::TableError;
use assay_store::StoreError;

use crate::scaffold::ScaffoldError;
use crate::signing::{SigningError, VerifyError};

/// The exit code of what was stopped: as shells have it for a program that Ctrl-C ended.
pub(crate) const STOPPED: u8 = 130;

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Damaged(StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    NoAction(#[from] NoAction),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Key(#[from] SignatureError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error("{0}")]
    Arguments(String),
    #[error("nothing is pinned as `{0}`; `pipeline pin` lists what is")]
    NotPinned(String),
    #[error("cannot make a temporary folder")]
    Temporary(#[source] io::Error),
    #[error("the plugin's answer cannot be shown")]
    Directions(#[from] InvalidTensors),
    #[error("there is no contact sheet of the dataset")]
    Sheet(#[from] SheetError),
    #[error("the action failed")]
    Action(#[source] Failure),
    #[error("the action cannot be executed here: it {0}")]
    Environment(Obstacle),
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(transparent)]
    Verb(VerbError),
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    #[error("the report's table cannot be read")]
    Table(#[from] TableError),
    #[error("stopped")]
    Stopped,
    #[error("cannot listen for Ctrl-C")]
    Signals(#[source] io::Error),
    #[error(
        "these bytes are no text, and standard output is a terminal; write them to a file with `> FILE`, look at them with `pipeline show`, or use --force"
    )]
    Terminal,
    #[error("the answer has no JSON form")]
    Json(#[source] serde_json::Error),
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

/// An error that only one verb has, and what to do next; may be empty.
#[derive(Debug)]
pub(crate) struct VerbError {
    error: Box<dyn Error + Send + Sync>,
    pub(crate) help: String,
}

impl fmt::Display for VerbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for VerbError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl CliError {
    /// An error of a verb, with what to do next.
    pub(crate) fn of_verb(error: impl Error + Send + Sync + 'static, help: String) -> Self {
        Self::Verb(VerbError {
            error: Box::new(error),
            help,
        })
    }

    /// Whether it was asked to stop.
    pub(crate) fn is_stop(&self) -> bool {
        matches!(
            self,
            Self::Stopped
                | Self::Device(DeviceError::Stopped)
                | Self::Action(Failure::Cancelled)
                | Self::Engine(
                    EngineError::Stopped
                        | EngineError::Device(DeviceError::Stopped)
                        | EngineError::Describe {
                            failure: Failure::Cancelled,
                            ..
                        }
                )
                | Self::Bundle(BundleError::Stopped)
        )
    }

    /// 1 where an action failed, or a store, bundle or signature is not good; 130 where it was
    /// stopped; 2 where nothing could be done at all.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            _ if self.is_stop() => STOPPED,
            Self::Bundle(error) if error.is_refusal() => 1,
            Self::Audit(AuditError::Store(error)) if error.is_damage() => 1,
            Self::Action(_) | Self::Verify(_) | Self::Damaged(_) => 1,
            _ => 2,
        }
    }
}
