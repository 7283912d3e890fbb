//! Errors of bundles, in words that name the place and the next step. Names that come from a bundle
//! are shown with their control characters escaped, and shortened.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

use assay_core::{ActionKey, Advice, ArtifactHash, CanonicalError, Ending, ObjectHash};
use assay_files::room_advice;
use assay_store::StoreError;

/// Why there is no bundle, or nothing was taken from one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of the bundle cannot be read or written.
    #[error("cannot {what} the bundle `{path}`")]
    File {
        /// Operation that failed, as a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// There is a file of that name already.
    #[error("`{path}` is there already; name another file, or write over it with --force")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A run has a stage whose artifact no record of the store gives.
    #[error(
        "stage `{stage}` of the run has no result in the store that gives its artifact {artifact}; run the pipeline again"
    )]
    NoResult {
        /// The stage.
        stage: String,
        /// Artifact that the stage produced according to the run.
        artifact: ArtifactHash,
    },
    /// An artifact that the run rests on is not whole.
    #[error(
        "artifact {artifact} is not whole in the store; run the pipeline again, which makes it anew"
    )]
    NotIntact {
        /// The artifact.
        artifact: ArtifactHash,
    },
    /// The metadata cannot be written as JSON.
    #[error("the metadata of the bundle cannot be written")]
    Metadata(#[source] serde_json::Error),
    /// The caller asked to stop; nothing was kept.
    #[error("stopped; nothing was written")]
    Stopped,

    /// The file is something else.
    #[error("this is no bundle: it does not begin as zstd does; `pipeline bundle` makes one")]
    NotABundle,
    /// The container breaks off, or was changed.
    #[error("the bundle cannot be unpacked: it breaks off or was changed; get it again")]
    Unreadable(#[source] io::Error),
    /// Something comes after the end.
    #[error("something follows the end of the bundle; get it again")]
    Trailing,
    /// A file of the bundle is not one that a bundle may have.
    #[error("the bundle is refused: its entry {} {why}", shown(name))]
    Entry {
        /// Its name.
        name: String,
        /// Reason for the refusal.
        why: Refusal,
    },
    /// More bytes than are allowed.
    #[error(
        "the bundle is refused: it unpacks to more than {limit} bytes; if that is right, allow more with --max-size"
    )]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// More files than are allowed.
    #[error("the bundle is refused: it has more than {limit} files")]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// More documents than are held in memory.
    #[error("the bundle is refused: its documents have more than {limit} bytes")]
    Documents {
        /// The limit.
        limit: u64,
    },
    /// It unpacks to far more than data of ours does.
    #[error("the bundle is refused: its first {packed} bytes unpack to over a thousand times that")]
    Bomb {
        /// Bytes of the bundle read so far.
        packed: u64,
    },
    /// A file that every bundle has is not there, or is there twice.
    #[error("the bundle is refused: it has no {0}, or more than one")]
    Lacks(&'static str),
    /// A document is invalid, or contradicts what names it.
    #[error("the bundle is refused: its {what} {object} {problem}")]
    Document {
        /// Kind of document that it should be.
        what: &'static str,
        /// Its hash.
        object: ObjectHash,
        /// The problem, worded as the end of the message.
        problem: String,
    },
    /// An object is named but missing.
    #[error("the bundle is refused: {what} {object} is missing from it")]
    Missing {
        /// Role of the missing object, in words.
        what: String,
        /// Its hash.
        object: ObjectHash,
    },
    /// A file of an artifact has another size than its manifest says.
    #[error(
        "the bundle is refused: file `{name}` has {found} bytes, and its artifact {artifact} says {size}"
    )]
    Size {
        /// The artifact.
        artifact: ArtifactHash,
        /// The file's name there.
        name: String,
        /// Size in the manifest, in bytes.
        size: u64,
        /// Size of the file in the bundle, in bytes.
        found: u64,
    },
    /// A stage's artifact is not what any record gives.
    #[error(
        "the bundle is refused: no record vouches that stage {} gave artifact {artifact}",
        shown(stage)
    )]
    Unconfirmed {
        /// The stage.
        stage: String,
        /// Artifact that the stage is said to have produced.
        artifact: ArtifactHash,
    },
    /// An object is there that the run does not rest on.
    #[error("the bundle is refused: object {object} has no place in the run")]
    Stray {
        /// The object.
        object: ObjectHash,
    },
    /// A record is there of an action that the run does not rest on.
    #[error("the bundle is refused: action {action} has no place in the run")]
    StrayAction {
        /// The action.
        action: ActionKey,
    },
    /// The metadata are not about these files.
    #[error("the bundle is refused: its metadata {0}")]
    Untrue(String),
}

/// The reason for which an archive is refused, as the end of a message about it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is something else.
    #[error("it does not begin as zstd does")]
    NotZstd,
    /// It breaks off, or was changed.
    #[error("it breaks off or was changed; get it again")]
    Unreadable(#[source] io::Error),
    /// Something comes after the end.
    #[error("something follows its end; get it again")]
    Trailing,
    /// It has a file that it may not have.
    #[error("its entry {} {why}", shown(name))]
    Entry {
        /// Its name.
        name: String,
        /// Reason for the refusal.
        why: Refusal,
    },
    /// It unpacks to far more than data of ours does.
    #[error("its first {packed} bytes unpack to over a thousand times that")]
    Bomb {
        /// Bytes of the archive read so far.
        packed: u64,
    },
}

impl From<ArchiveError> for BundleError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::NotZstd => Self::NotABundle,
            ArchiveError::Unreadable(source) => Self::Unreadable(source),
            ArchiveError::Trailing => Self::Trailing,
            ArchiveError::Entry { name, why } => Self::Entry { name, why },
            ArchiveError::Bomb { packed } => Self::Bomb { packed },
        }
    }
}

/// Reason for refusing an entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is no plain file.
    Kind(&'static str),
    /// Its name is none that a bundle has.
    Name,
    /// Its name is not UTF-8.
    Encoding,
    /// Its header says more than name and size, or something else.
    Header,
    /// It does not sort after the one before.
    Order,
    /// The padding of its last block is not zero.
    Padding,
    /// Its bytes do not have the hash in its name.
    Hash,
    /// Its bytes are not those that every bundle has here.
    Content,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "is {kind}, and only plain files are allowed"),
            Self::Name => f.write_str("has a name that no file of it has"),
            Self::Encoding => f.write_str("has a name that is no text"),
            Self::Header => f.write_str("has a header with more in it than a name and a size"),
            Self::Order => f.write_str("comes twice or out of order"),
            Self::Padding => f.write_str("is followed by hidden bytes"),
            Self::Hash => f.write_str(
                "does not have the hash that it is named by: it was changed; get it again",
            ),
            Self::Content => f.write_str("does not say what it should"),
        }
    }
}

impl BundleError {
    /// Whether the bundle is at fault, rather than this machine or its store.
    pub fn is_refusal(&self) -> bool {
        match self {
            // A file that cannot be read at all says so as it is opened.
            Self::Unreadable(_)
            | Self::NotABundle
            | Self::Trailing
            | Self::Entry { .. }
            | Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::Documents { .. }
            | Self::Bomb { .. }
            | Self::Lacks(_)
            | Self::Document { .. }
            | Self::Missing { .. }
            | Self::Size { .. }
            | Self::Unconfirmed { .. }
            | Self::Stray { .. }
            | Self::StrayAction { .. }
            | Self::Untrue(_) => true,
            Self::Store(_)
            | Self::File { .. }
            | Self::Exists { .. }
            | Self::NoResult { .. }
            | Self::NotIntact { .. }
            | Self::Metadata(_)
            | Self::Stopped => false,
        }
    }
}

impl Advice for BundleError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Store(error) => error.help(),
            Self::File { source, .. } => room_advice(source).into(),
            _ => "".into(),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Stopped => Ending::Stopped,
            error if error.is_refusal() => Ending::Failed,
            _ => Ending::Refused,
        }
    }
}

/// A value has no canonical JSON.
pub(crate) fn uncanonical(
    what: &'static str,
    object: ObjectHash,
) -> impl Fn(CanonicalError) -> BundleError {
    move |error| BundleError::Document {
        what,
        object,
        problem: error.to_string(),
    }
}

fn shown(name: &str) -> String {
    let shortened: String = name.chars().take(100).collect();
    format!("{shortened:?}")
}
