//! Errors of remotes.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use assay_bundle::BundleError;
use assay_core::{Advice, Ending, RunHash};
use assay_files::room_advice;
use assay_store::StoreError;
use reqwest::StatusCode;

use crate::web::WebError;

/// A remote that cannot be used, or whose files are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The place of a remote is none.
    #[error("`{text}` is no place of a remote: {problem}")]
    Place {
        /// The text that was given.
        text: String,
        /// The fault.
        problem: String,
    },
    /// No remote has this name.
    #[error("there is no remote `{name}`")]
    Unknown {
        /// The name that was given.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The file of remotes cannot be used.
    #[error("cannot {what} the file of remotes {}", path.display())]
    Names {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The file of remotes is not one.
    #[error("{} is no file of remotes: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The fault.
        problem: String,
    },
    /// The folder of a remote cannot be used.
    #[error("cannot use the folder {} of a remote", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The environment's settings make no sense for this place.
    #[error("cannot make ready to ask {place}")]
    Settings {
        /// The remote.
        place: String,
        /// The underlying error.
        source: object_store::Error,
    },
    /// A request failed.
    #[error("cannot {what} `{name}` at {place}")]
    Request {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The file's name at the remote.
        name: String,
        /// The remote.
        place: String,
        /// The underlying error.
        source: object_store::Error,
    },
    /// The client of a web server cannot be made.
    #[error("cannot make ready to ask {place}")]
    Client {
        /// The remote.
        place: String,
        /// The underlying error.
        source: WebError,
    },
    /// A request to a web server failed.
    #[error("cannot {what} `{name}` at {place}")]
    Web {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The file's name at the remote.
        name: String,
        /// The remote.
        place: String,
        /// The underlying error.
        source: WebError,
    },
    /// The remote can only be read.
    #[error("{place} can be read and not written")]
    ReadOnly {
        /// The remote.
        place: String,
    },
    /// The remote cannot be listed.
    #[error("{place} does not say what it has: a web server gives files by their names alone")]
    Unlisted {
        /// The remote.
        place: String,
    },
    /// Runs cannot ask the remote for results.
    #[error("runs cannot take results from {place}: a web server does not say which it has")]
    NoLookUp {
        /// The remote.
        place: String,
    },
    /// A URL was given for others to read the remote that is none, or for one that is a URL itself.
    #[error("`{url}` cannot be the URL where others read {place}")]
    PublicUrl {
        /// The text that was given.
        url: String,
        /// The remote.
        place: String,
    },
    /// The remote did not answer in time.
    #[error("{place} did not answer within {} ms", patience.as_millis())]
    Slow {
        /// The remote.
        place: String,
        /// The time that it had.
        patience: Duration,
    },
    /// The remote has no such run.
    #[error("{place} has no run `{name}`")]
    NoRun {
        /// The name that was given.
        name: String,
        /// The remote.
        place: String,
    },
    /// A run that is to be forgotten is pinned.
    #[error("{place} keeps the run {run}, which is pinned as `{label}` there")]
    Pinned {
        /// The run.
        run: RunHash,
        /// The name of the pin.
        label: String,
        /// The remote.
        place: String,
    },
    /// Several runs begin with these digits.
    #[error("{} runs at {place} begin with `{name}`", runs.len())]
    Ambiguous {
        /// The name that was given.
        name: String,
        /// The remote.
        place: String,
        /// Some of those runs.
        runs: Vec<RunHash>,
    },
    /// A file is not what its name says.
    #[error("`{name}` at {place} {problem}")]
    Content {
        /// The file's name at the remote.
        name: String,
        /// The remote.
        place: String,
        /// The fault.
        problem: String,
    },
    /// A file has other bytes than its name says.
    #[error("`{name}` at {place} has other bytes than its name says")]
    Damaged {
        /// The file's name at the remote.
        name: String,
        /// The remote.
        place: String,
    },
    /// The run would take more room than was allowed.
    #[error("it takes {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes of what was to be fetched.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The documents of the run do not fit together, or the store lacks some.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This machine could not begin to ask.
    #[error("cannot ask a remote from here")]
    Runtime(#[source] io::Error),
    /// A file of this machine that belongs to what was moved cannot be written.
    #[error("cannot keep what came from a remote")]
    Here(#[source] io::Error),
    /// Ctrl-C.
    #[error("stopped; what was moved is not moved again")]
    Stopped,
}

impl Advice for RemoteError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Bundle(error) => error.help(),
            Self::Store(error) => error.help(),
            Self::Place { .. } => {
                "give s3://BUCKET/PREFIX, https://HOST/PATH, or a folder as /PATH or ./PATH".into()
            }
            Self::Unknown { known, .. } if known.is_empty() => {
                "`pipeline remote add NAME PLACE` gives a place a name".into()
            }
            Self::Unknown { known, .. } => format!("there are {}", known.join(", ")).into(),
            Self::Malformed { .. } => "repair it, or move it away and add the remotes again".into(),
            Self::NoRun { place, .. } if place.starts_with("http") => {
                "check the URL; whoever published the run can push it again".into()
            }
            Self::NoRun { .. } => "`pipeline remote runs` lists what it has".into(),
            Self::Pinned { label, place, .. } => {
                format!("`pipeline remote unpin {place} {label}` lets go of it").into()
            }
            Self::Ambiguous { runs, .. } => {
                let runs: Vec<_> = runs.iter().take(5).map(RunHash::short).collect();
                format!("give more digits: {}", runs.join(", ")).into()
            }
            Self::Content { .. } | Self::Damaged { .. } => {
                "nothing of it was used; whoever has the run whole can push it again with --verify"
                    .into()
            }
            Self::TooLarge { .. } => "allow more with --max-size".into(),
            Self::ReadOnly { .. } => {
                "name the bucket or folder that the web server shows, as s3://BUCKET/PREFIX or /PATH"
                    .into()
            }
            Self::Unlisted { place } => format!(
                "give the URL of a run, {place}/contents/HASH.json, or the whole hash of the run"
            )
            .into(),
            Self::NoLookUp { .. } => {
                "name its bucket as s3://BUCKET/PREFIX; one that anybody may list needs no \
                 credentials but AWS_SKIP_SIGNATURE=true"
                    .into()
            }
            Self::PublicUrl { .. } => {
                "give a bucket or folder, and the URL below which a web server shows it".into()
            }
            Self::Web { source, .. } => web_help(source).into(),
            Self::Settings { .. } => "check the variables AWS_… of the environment".into(),
            Self::Request { place, source, .. } if place.starts_with("s3://") => {
                request_help(source).into()
            }
            Self::Request { .. } => "run it again, and it goes on where it was".into(),
            Self::Folder { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "`pipeline push` makes it".into()
            }
            Self::Folder { .. }
            | Self::Names { .. }
            | Self::Runtime(_)
            | Self::Client { .. }
            | Self::Stopped => "".into(),
            Self::Slow { .. } => "run it again when the network is there".into(),
            Self::Here(source) => room_advice(source).into(),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Stopped => Ending::Stopped,
            Self::Content { .. } | Self::Damaged { .. } => Ending::Failed,
            Self::Bundle(error) => error.ending(),
            _ => Ending::Refused,
        }
    }
}

fn web_help(error: &WebError) -> &'static str {
    match error {
        WebError::Request(_) => {
            "check the URL and the network; run it again, and it goes on where it was"
        }
        WebError::Status(StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) => {
            "the run is not there, or not everybody may read it"
        }
        WebError::Status(_) | WebError::NoLength | WebError::OtherPart { .. } => {
            "check the URL; the server has to give files as they are, with their lengths"
        }
    }
}

fn request_help(error: &object_store::Error) -> &'static str {
    match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => {
            "check the credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role of this machine"
        }
        object_store::Error::Generic { .. } => {
            "check the network, the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), AWS_ENDPOINT_URL \
             and AWS_REGION; run it again and it goes on where it was"
        }
        _ => "",
    }
}
