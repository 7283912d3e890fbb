//! Errors of clusters.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use assay_core::Advice;
use assay_remote::RemoteError;

/// A cluster that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The file of executors cannot be read.
    #[error("cannot read the file of executors {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The file of executors is not one.
    #[error("{} is no file of executors: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The fault.
        problem: String,
    },
    /// No executor has this name.
    #[error("there is no executor `{name}`")]
    Unknown {
        /// The name that was given.
        name: String,
        /// Those that there are.
        known: Vec<String>,
        /// The file that they stand in, if there can be one.
        file: Option<PathBuf>,
    },
    /// An executor lacks something.
    #[error("the executor `{name}` {problem}")]
    Site {
        /// The executor.
        name: String,
        /// The fault.
        problem: String,
    },
    /// The hub cannot be used.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A file cannot be handled.
    #[error("cannot {what} {}", path.display())]
    File {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
}

impl Advice for ClusterError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Remote(error) => error.help(),
            Self::Unknown { known, file, .. } => {
                let file = file.as_ref().map_or_else(
                    || "executors.toml in your configuration folder".to_owned(),
                    |file| file.display().to_string(),
                );
                if known.is_empty() {
                    format!("describe your cluster in {file} (docs/clusters.md), or use `local`")
                } else {
                    format!("{file} has {}", known.join(", "))
                }
                .into()
            }
            Self::Malformed { .. } | Self::Site { .. } => {
                "docs/clusters.md lists what an executor has".into()
            }
            Self::Unreadable { .. } | Self::File { .. } => "".into(),
        }
    }
}
