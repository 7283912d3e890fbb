//! Everything that can end a verb, and the exit code it ends with.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use assay_core::{Advice, Ending};
use assay_engine::Failure;
use assay_files::room_advice;
use assay_store::StoreError;

/// The exit code of what was stopped: as shells have it for a program that Ctrl-C ended.
pub(crate) const STOPPED: u8 = 130;

/// The exit code of what another machine may be able to do: `EX_TEMPFAIL` of `sysexits.h`.
pub(crate) const ELSEWHERE: u8 = 75;

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// An error of a library or of one verb, with its own advice.
    #[error(transparent)]
    Advised(Advised),
    #[error("{0}")]
    Arguments(String),
    #[error(transparent)]
    Damaged(StoreError),
    #[error("the action failed")]
    Action(#[source] Failure),
    #[error("cannot make a temporary folder")]
    Temporary(#[source] io::Error),
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
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

/// Any error with its own advice.
#[derive(Debug)]
pub(crate) struct Advised(Box<dyn Advice>);

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Advised {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl<E: Advice> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::Advised(Advised(Box::new(error)))
    }
}

impl CliError {
    /// The error of a library, if it is of this type.
    pub(crate) fn advised<E: Advice>(&self) -> Option<&E> {
        match self {
            Self::Advised(Advised(error)) => (error.as_ref() as &dyn Error).downcast_ref(),
            _ => None,
        }
    }

    /// Advice on the next step; may be empty.
    pub(crate) fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Advised(Advised(error)) => error.help(),
            Self::Action(failure) => failure.help(),
            Self::Damaged(error) => error.help(),
            Self::File { source, .. } | Self::Temporary(source) | Self::Output(source) => {
                room_advice(source).into()
            }
            Self::Arguments(_)
            | Self::Stopped
            | Self::Signals(_)
            | Self::Terminal
            | Self::Json(_) => "".into(),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Advised(Advised(error)) => error.ending(),
            Self::Action(failure) => failure.ending(),
            Self::Damaged(_) => Ending::Failed,
            Self::Stopped => Ending::Stopped,
            Self::Arguments(_)
            | Self::Temporary(_)
            | Self::File { .. }
            | Self::Signals(_)
            | Self::Terminal
            | Self::Json(_)
            | Self::Output(_) => Ending::Refused,
        }
    }

    /// Whether it was asked to stop.
    pub(crate) fn is_stop(&self) -> bool {
        self.ending() == Ending::Stopped
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self.ending() {
            Ending::Failed => 1,
            Ending::Refused => 2,
            Ending::Elsewhere => ELSEWHERE,
            Ending::Stopped => STOPPED,
        }
    }
}
