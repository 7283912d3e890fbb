//! Errors of the store, with messages that name the place and the next step. Nothing here prints or
//! decides what a failure costs.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::{
    ActionKey, Advice, ArtifactHash, CanonicalError, InvalidFileName, ObjectHash, RunHash,
};
use assay_files::room_advice;
use assay_files::{Kind, NotRegular, TooLarge};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {operation} `{path}`")]
    Io {
        /// Operation that was tried, as a verb phrase.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The folder holds no store.
    #[error(
        "`{root}` holds no store: it has no file `format`; check the path, or create a store with `pipeline run`"
    )]
    NotAStore {
        /// The folder.
        root: PathBuf,
    },
    /// A link on the way to the store leads nowhere.
    #[error(
        "there is no store in `{root}`: `{link}` is a link to `{target}`, which is not there; make that \
         folder, or name another one with --store"
    )]
    DanglingLink {
        /// The folder of the store.
        root: PathBuf,
        /// The link.
        link: PathBuf,
        /// Target of the link.
        target: PathBuf,
    },
    /// The folder holds a store of a layout that this version does not know.
    #[error(
        "the store in `{root}` has format `{found}`, and this version reads only `{known}`; {advice}"
    )]
    UnknownFormat {
        /// The folder.
        root: PathBuf,
        /// Content of its `format` file, shortened.
        found: String,
        /// The format that this version reads.
        known: &'static str,
        /// Advice for the user: update, keep an older version, or check whether it is a store.
        advice: &'static str,
    },
    /// An object is not there.
    #[error(
        "object {object} is not in the store; run the action that makes it again, or copy it from another store"
    )]
    Missing {
        /// The object.
        object: ObjectHash,
    },
    /// The bytes of an object do not have its hash.
    #[error(
        "object {object} is damaged: the bytes of `{path}` do not have that hash; move it away with `pipeline audit --fix`, and run the action that makes it again"
    )]
    Damaged {
        /// The object.
        object: ObjectHash,
        /// Its file.
        path: PathBuf,
    },
    /// A folder, a link, a pipe or a device lies where a file should.
    #[error("`{path}` is {kind}, not a regular file; move it away, or put the file itself there")]
    NotRegular {
        /// Path of the entry.
        path: PathBuf,
        /// Kind of the entry.
        kind: Kind,
    },
    /// A document is larger than any document is.
    #[error("`{path}` is larger than {limit} bytes, the most that is read of such a document")]
    TooLarge {
        /// Its file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A document does not read as what it should be.
    #[error("`{path}` is not a valid {what}; it may come from another version of assay")]
    Document {
        /// Kind of document expected.
        what: &'static str,
        /// Its file.
        path: PathBuf,
        /// Where reading failed.
        source: serde_json::Error,
    },
    /// A value cannot be stored as a document.
    #[error("the {what} cannot be stored")]
    Canonical {
        /// Kind of document that was to be stored.
        what: &'static str,
        /// Why not.
        source: CanonicalError,
    },
    /// A file of an artifact has a name that no artifact may hold.
    #[error("an artifact cannot hold this file: names have 1 to 255 bytes and no separator")]
    FileName(#[from] InvalidFileName),
    /// An artifact has no file of that name.
    #[error("artifact {artifact} has no file `{name}`")]
    NoSuchFile {
        /// The artifact.
        artifact: ArtifactHash,
        /// The name.
        name: String,
    },
    /// A result record is not what its name and folder say.
    #[error(
        "`{path}` is not a result of action {action}; remove it: at worst the action runs again"
    )]
    ForeignRecord {
        /// The action whose folder it lies in.
        action: ActionKey,
        /// Its file.
        path: PathBuf,
    },
    /// Something in the store is named as nothing in a store is.
    #[error("`{path}` does not belong in a store; move it elsewhere")]
    Foreign {
        /// The file or folder.
        path: PathBuf,
    },
    /// A result names data that the store does not hold whole.
    #[error(
        "a result of action {action} cannot be committed: object {object} is missing or has another size"
    )]
    Incomplete {
        /// The action.
        action: ActionKey,
        /// The first object that is not there.
        object: ObjectHash,
    },
    /// A name that no pin may have.
    #[error(
        "`{label}` cannot be the name of a pin: take 1 to 100 letters, digits, `-`, `_` and `.`, with no `.` first"
    )]
    PinLabel {
        /// The name.
        label: String,
    },
    /// Another thing is pinned under that name.
    #[error("`{label}` pins another {what}, {object}; choose another name, or unpin that first")]
    Pinned {
        /// The name.
        label: String,
        /// Kind of the pinned thing, in one word.
        what: &'static str,
        /// Hash of the pinned thing.
        object: ObjectHash,
    },
    /// A run is not recorded, or not any more.
    #[error("the run {run} is not recorded in the store; `pipeline ls` lists those that are")]
    NoSuchRun {
        /// The run.
        run: RunHash,
    },
    /// A run that is to be forgotten is pinned.
    #[error(
        "the run {run} is pinned as `{label}`; `pipeline unpin {label}` lets go of it, and then it can be forgotten"
    )]
    PinnedRun {
        /// The run.
        run: RunHash,
        /// The name of the pin.
        label: String,
    },
    /// A run that is to be forgotten gave what a process at work relies on.
    #[error(
        "a running process uses `{stage}` of the run {run}, which alone may keep that for it; wait until the process has ended, or stop it"
    )]
    RunInUse {
        /// The run.
        run: RunHash,
        /// The first stage in use.
        stage: String,
    },
    /// A source file changed while its hash was computed.
    #[error("`{path}` changed while it was read; run again when nothing writes to it")]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// Operations that only read.
const READING: [&str; 5] = ["open", "read", "list", "inspect", "locate"];

impl Advice for StoreError {
    fn help(&self) -> Cow<'_, str> {
        let Self::Io {
            operation, source, ..
        } = self
        else {
            return "".into();
        };
        let advice = match is_forbidden(source) {
            true if READING.contains(operation) => {
                "make it readable for this user, or name another place"
            }
            true => "make it writable for this user, or name another store with --store",
            false => room_advice(source),
        };
        advice.into()
    }
}

impl StoreError {
    /// The error of a document of this kind that has no canonical JSON.
    pub fn canonical(what: &'static str) -> impl Fn(CanonicalError) -> Self {
        move |source| Self::Canonical { what, source }
    }

    /// Whether the contents of the store are at fault, rather than the machine: what the error
    /// names counts as not there, and running the action again makes it anew.
    pub const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Damaged { .. }
                | Self::NotRegular { .. }
                | Self::TooLarge { .. }
                | Self::Document { .. }
                | Self::FileName(_)
                | Self::ForeignRecord { .. }
        )
    }
}

/// Whether the user, or anybody, may not do that here.
pub(crate) fn is_forbidden(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Turns the error for a file that is not there, or not any more, into `None`.
pub(crate) fn present<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Turns an error that is [damage](StoreError::is_damage) into `None`.
pub(crate) fn readable<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(error) if error.is_damage() => Ok(None),
        read => read.map(Some),
    }
}

/// Adds to an input or output error what was tried, and where.
pub(crate) trait At<T> {
    fn at(self, operation: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, operation: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| {
            let path = path.to_owned();
            let inner = source.get_ref();
            if let Some(&NotRegular(kind)) = inner.and_then(|inner| inner.downcast_ref()) {
                return StoreError::NotRegular { path, kind };
            }
            if let Some(&TooLarge { limit }) = inner.and_then(|inner| inner.downcast_ref()) {
                return StoreError::TooLarge { path, limit };
            }
            StoreError::Io {
                operation,
                path,
                source,
            }
        })
    }
}
