//! The findings of an audit: the place, the fault, its effects, and what `fix` would move. Faults
//! are typed and worded here; how they are laid out is for others.

use std::collections::BTreeMap;
use std::path::PathBuf;

use assay_core::graph::Role;
use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash, StageKind};
use assay_store::{Store, StoreError};

/// Result of an audit.
#[derive(Debug, Default)]
pub struct AuditReport {
    /// Numbers of items examined.
    pub counts: Counts,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// Observations worth knowing that are not faults.
    pub notes: Vec<Note>,
    /// The runs that the findings and notes speak of.
    pub runs: BTreeMap<RunHash, RunName>,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs.
    pub runs: u64,
    /// Records of results.
    pub results: u64,
    /// Action documents.
    pub actions: u64,
    /// Artifact manifests.
    pub artifacts: u64,
    /// Objects, the documents among them.
    pub objects: u64,
    /// The bytes of these objects.
    pub bytes: u64,
}

/// A run as a person knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName {
    /// The name of its pipeline.
    pub pipeline: String,
    /// When it began, in milliseconds since 1970 (UTC).
    pub started_ms: u64,
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Finding {
    /// Location of the fault.
    pub location: Location,
    /// The fault.
    pub fault: Fault,
    /// Everything affected by it.
    pub affected: Affected,
    /// Steps that [`fix`](super::fix) takes against it; none where only a new run or a person can
    /// repair it.
    pub remedy: Vec<Remedy>,
}

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// The file of an object.
    Object(ObjectHash),
    /// The record of a result.
    Record {
        /// The action in whose folder it lies.
        action: ActionKey,
        /// Its file.
        path: PathBuf,
    },
    /// The marker of a run.
    Marker {
        /// The run that its name names.
        run: RunHash,
        /// Its file.
        path: PathBuf,
    },
    /// Something else in the store's folders.
    Path(PathBuf),
}

impl AuditReport {
    /// How many findings are damage, beside those where nothing could be read.
    pub fn damaged(&self) -> usize {
        let damage = |finding: &&Finding| !finding.fault.is_unreadable();
        self.findings.iter().filter(damage).count()
    }

    /// How many places could not be read.
    pub fn unreadable(&self) -> usize {
        self.findings.len() - self.damaged()
    }
}

impl Location {
    /// The file or folder.
    pub fn path(&self, store: &Store) -> PathBuf {
        match self {
            Self::Object(object) => store.object_path(*object),
            Self::Record { path, .. } | Self::Marker { path, .. } | Self::Path(path) => {
                path.clone()
            }
        }
    }
}

/// A fault that an audit can find.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file is missing although something names it.
    #[error("it is not there")]
    Missing,
    /// The hash of the bytes differs from the hash in the name.
    #[error("it has other bytes than its name says: {size} bytes with the hash {}…", .found.short())]
    Bytes {
        /// The hash of what is there.
        found: ObjectHash,
        /// How many bytes are there.
        size: u64,
    },
    /// A folder, a link, a pipe or a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// It cannot be read, so nothing is known of it.
    #[error("it cannot be read")]
    Unreadable(#[source] StoreError),
    /// It does not parse as the kind of document that it is referred to as.
    #[error("it is not a valid {what}: {why}")]
    Document {
        /// Kind of document that it should be.
        what: &'static str,
        /// Where reading failed.
        why: String,
    },
    /// It parses as the document that it should be, but is not in canonical form.
    #[error("it is not written as an {what} is (canonical JSON, RFC 8785)")]
    NotCanonical {
        /// Kind of document, such as an action.
        what: &'static str,
    },
    /// A manifest and an object disagree, and the object's bytes are right.
    #[error("it says that `{name}` has {says} bytes, and its object {}… has {has}", .object.short())]
    Size {
        /// The file's name in the artifact.
        name: String,
        /// Its object.
        object: ObjectHash,
        /// The size in the manifest.
        says: u64,
        /// The size of the object.
        has: u64,
    },
    /// A record's file is not named by the hash of its bytes.
    #[error("its name is not the hash of its bytes, {}…", .found.short())]
    RecordName {
        /// The hash of its bytes.
        found: ObjectHash,
    },
    /// A record lies in the folder of another action.
    #[error("it is a result of another action: {}…", .says.short())]
    RecordAction {
        /// The action it says.
        says: ActionKey,
    },
    /// A marker holds something, or is no file.
    #[error("a run's marker is an empty file, and this is not")]
    MarkerContents,
    /// A marker's name has another time than the run's manifest.
    #[error("it says another time than the run, which began at {started_ms}")]
    MarkerTime {
        /// When the run says it began, in milliseconds since 1970 (UTC).
        started_ms: u64,
    },
    /// A run's stage has an artifact that no result of its action gave.
    #[error(
        "it says that `{stage}` gave the artifact {}…, and no result of the action does",
        .artifact.short()
    )]
    NoResult {
        /// The stage.
        stage: String,
        /// Artifact that the stage produced according to the run.
        artifact: ArtifactHash,
    },
    /// The outcome of a run's stage contradicts the presence or absence of its artifact.
    #[error("it contradicts itself: `{stage}` cannot have ended so with or without an artifact")]
    Outcome {
        /// The stage.
        stage: String,
    },
    /// An entry that no store has in that place.
    #[error("it does not belong there")]
    Foreign,
    /// A folder that every store has.
    #[error("this folder of the store is gone, and all that was in it")]
    FolderGone,
}

impl Fault {
    /// Whether it only says that nothing is known.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }

    /// Its name for scripts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Bytes { .. } => "bytes",
            Self::NotRegular => "not-regular",
            Self::Unreadable(_) => "unreadable",
            Self::Document { .. } => "document",
            Self::NotCanonical { .. } => "not-canonical",
            Self::Size { .. } => "size",
            Self::RecordName { .. } => "record-name",
            Self::RecordAction { .. } => "record-action",
            Self::MarkerContents => "marker-contents",
            Self::MarkerTime { .. } => "marker-time",
            Self::NoResult { .. } => "no-result",
            Self::Outcome { .. } => "outcome",
            Self::Foreign => "foreign",
            Self::FolderGone => "folder-gone",
        }
    }

    /// A failure of the store to read something.
    pub(super) fn of(error: StoreError) -> Self {
        match error {
            StoreError::Missing { .. } => Self::Missing,
            StoreError::NotRegular { .. } => Self::NotRegular,
            StoreError::TooLarge { limit, .. } => Self::Document {
                what: "document",
                why: format!("it has more than {limit} bytes"),
            },
            error => Self::Unreadable(error),
        }
    }
}

/// Everything that a fault affects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// Roles of the faulty object.
    pub roles: Vec<Role>,
    /// Stages that made or use it themselves.
    pub stages: Vec<AffectedStage>,
    /// Stages that read what these made, or read what was made of that.
    pub downstream: Vec<AffectedStage>,
    /// Actions among all of these that no run names.
    pub actions: Vec<ActionKey>,
    /// Every run concerned.
    pub runs: Vec<RunHash>,
}

/// A stage of a run that rests on something wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AffectedStage {
    /// The run.
    pub run: RunHash,
    /// The stage's name in it.
    pub stage: String,
    /// Its action.
    pub action: ActionKey,
    /// Kind of the stage, if the action's document can be read.
    pub kind: Option<StageKind>,
}

/// One thing that [`fix`](super::fix) does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Moves what lies in the object's place, or sets down that the object is lost.
    Object(ObjectHash),
    /// Moves a record, or something that does not belong.
    Path(PathBuf),
    /// Moves a marker, and puts the right one in its place if the run can be read.
    Marker {
        /// The run.
        run: RunHash,
        /// The marker's file.
        path: PathBuf,
    },
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The results of one action differ. Nothing is damaged; the action is not reproducible.
    Irreproducible {
        /// The action.
        action: ActionKey,
        /// Artifacts that it produced.
        artifacts: Vec<ArtifactHash>,
        /// Stages that have this action.
        stages: Vec<AffectedStage>,
    },
    /// The manifest of a run that no marker names: a process died before it wrote the marker, or
    /// someone removed it.
    UnnamedRun(RunHash),
    /// An action of a revision that this version does not know.
    NewerRevision {
        /// The action.
        action: ActionKey,
        /// Kind of the action.
        kind: StageKind,
        /// Its revision.
        revision: u32,
    },
    /// A missing object that is noted as lost in quarantine, and that no result's bytes rest on.
    KnownLoss {
        /// The object.
        object: ObjectHash,
        /// Roles that it had.
        roles: Vec<Role>,
    },
    /// Objects and records that their permissions do not protect.
    Writable(Vec<PathBuf>),
    /// Objects that nothing names, and their bytes.
    Unnamed {
        /// How many.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Working folders of actions that have not finished.
    Unfinished(Vec<PathBuf>),
    /// Files that are being written, or that a process left behind.
    Temporary(Vec<PathBuf>),
    /// Entries of the store's folder that the store does not make.
    Strange(Vec<PathBuf>),
    /// How many things lie in quarantine.
    Quarantine(usize),
}

impl Note {
    /// Whether it notes nothing, as a list of no paths does.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Writable(paths)
            | Self::Unfinished(paths)
            | Self::Temporary(paths)
            | Self::Strange(paths) => paths.is_empty(),
            Self::Irreproducible { .. }
            | Self::UnnamedRun(_)
            | Self::NewerRevision { .. }
            | Self::KnownLoss { .. }
            | Self::Unnamed { .. }
            | Self::Quarantine(_) => false,
        }
    }
}
