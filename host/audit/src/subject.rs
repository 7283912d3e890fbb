//! Finds the subject that a hash, a prefix of one, or a name stands for. It only looks things up;
//! describing them is left to others.
//!
//! A name is `WHOLE` or `WHOLE:PART`, as git names a file of a commit: `WHOLE` is a hash, a unique
//! prefix of one (four digits at least), the name of a pipeline, which stands for its latest run,
//! `latest`, for the latest run of all, or the name of a pin. `PART` is a stage of a run, a file of
//! an artifact, or both: `quickstart:report:table.parquet`.

use std::collections::BTreeSet;
use std::iter;
use std::ops::RangeInclusive;

use assay_core::graph::Role;
use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash};
use assay_store::{Index, Store};

use crate::error::{AuditError, Match};

/// The fewest digits that are searched for.
const SHORTEST_PREFIX: usize = 4;

/// The name of the latest run.
const LATEST: &str = "latest";

/// Checks that a pin of this name can be looked up by it, and does not shadow another object.
///
/// # Errors
/// The name stands for something else.
pub fn check_label(index: &Index, label: &str, object: ObjectHash) -> Result<(), AuditError> {
    let is_prefix = is_prefix(label) && label.len() >= SHORTEST_PREFIX;
    let meaning = if label == LATEST {
        "the latest run of all"
    } else if latest_run(index, label).is_some() {
        "the latest run of the pipeline of that name"
    } else if is_prefix && !object.to_string().starts_with(label) {
        "the beginning of a hash, which is not that of what is to be pinned"
    } else {
        return Ok(());
    };
    Err(AuditError::TakenLabel {
        label: label.to_owned(),
        meaning,
    })
}

/// A thing in a store that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A run.
    Run(RunHash),
    /// A stage of a run.
    Stage {
        /// The run.
        run: RunHash,
        /// The stage's name in it.
        stage: String,
        /// Its action.
        action: ActionKey,
        /// Artifact that it produced in that run.
        artifact: Option<ArtifactHash>,
    },
    /// An action.
    Action(ActionKey),
    /// The record of one execution of an action.
    Result {
        /// The action.
        action: ActionKey,
        /// The hash of the record.
        record: ObjectHash,
    },
    /// An artifact.
    Artifact(ArtifactHash),
    /// A file of an artifact, by its name there.
    File {
        /// The artifact.
        artifact: ArtifactHash,
        /// The file's name.
        name: String,
        /// Its bytes.
        object: ObjectHash,
    },
    /// Any other object: a file, a library, a log, or bytes that nothing names.
    Object(ObjectHash),
}

impl Subject {
    /// Finds the subject that `name` stands for in the store that `index` was read from.
    ///
    /// # Errors
    /// Nothing, or more than one thing, has that name.
    pub fn find(store: &Store, index: &Index, name: &str) -> Result<Self, AuditError> {
        let (whole, part) = match name.split_once(':') {
            Some((whole, part)) => (whole, Some(part)),
            None => (name, None),
        };
        let subject = match (latest_run(index, whole), index.pins().get(whole)) {
            (Some(run), _) => Self::Run(run),
            (None, Some(pinned)) => of_object(index, pinned.object()),
            (None, None) => by_prefix(store, index, whole)?,
        };
        let Some(part) = part else {
            return Ok(subject);
        };
        let found = subject.part(store, index, part)?;
        found.ok_or_else(|| AuditError::Unknown(name.to_owned()))
    }

    /// Finds the run that `name` stands for.
    ///
    /// # Errors
    /// As [`Subject::find`], or it is no run.
    pub fn find_run(store: &Store, index: &Index, name: &str) -> Result<RunHash, AuditError> {
        match Self::find(store, index, name)? {
            Self::Run(run) => Ok(run),
            other => Err(AuditError::NotARun {
                name: name.to_owned(),
                what: other.what(),
                object: other.object(),
            }),
        }
    }

    /// Kind of the subject, in one word.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Stage { .. } => "stage",
            Self::Action(_) => "action",
            Self::Result { .. } => "result",
            Self::Artifact(_) => "artifact",
            Self::File { .. } => "file",
            Self::Object(_) => "object",
        }
    }

    /// The hash of its bytes: of a stage, of its action's document.
    pub fn object(&self) -> ObjectHash {
        match self {
            Self::Run(run) => (*run).into(),
            Self::Stage { action, .. } | Self::Action(action) => (*action).into(),
            Self::Result { record, .. } => *record,
            Self::Artifact(artifact) => (*artifact).into(),
            Self::File { object, .. } | Self::Object(object) => *object,
        }
    }

    /// A stage of a run or a file of an artifact.
    fn part(&self, store: &Store, index: &Index, part: &str) -> Result<Option<Self>, AuditError> {
        let artifact = match self {
            Self::Run(run) => return stage(store, index, *run, part),
            Self::Stage { artifact, .. } => *artifact,
            Self::Action(action) => {
                let first = index.results(*action).first();
                first.map(|(_, result)| result.artifact)
            }
            Self::Result { action, record } => {
                let mut results = index.results(*action).iter();
                let found = results.find(|(name, _)| name == record);
                found.map(|(_, result)| result.artifact)
            }
            Self::Artifact(artifact) => Some(*artifact),
            Self::File { .. } | Self::Object(_) => None,
        };
        let Some(artifact) = artifact else {
            return Ok(None);
        };
        let files = store.artifact(artifact)?.files;
        Ok(files.get(part).map(|file| Self::File {
            artifact,
            name: part.to_owned(),
            object: file.object,
        }))
    }
}

/// The stage of a run, or a file of what it gave: `STAGE` or `STAGE:FILE`.
fn stage(
    store: &Store,
    index: &Index,
    run: RunHash,
    part: &str,
) -> Result<Option<Subject>, AuditError> {
    let (stage, file) = match part.split_once(':') {
        Some((stage, file)) => (stage, Some(file)),
        None => (part, None),
    };
    let stages = index.runs().get(&run).map(|entry| &entry.run.stages);
    let mut stages = stages.into_iter().flatten();
    let found = stages.find(|known| known.name == stage);
    let Some((found, action)) = found.and_then(|stage| Some((stage, stage.action?))) else {
        return Ok(None);
    };
    let subject = Subject::Stage {
        run,
        stage: stage.to_owned(),
        action,
        artifact: found.artifact,
    };
    match file {
        Some(file) => subject.part(store, index, file),
        None => Ok(Some(subject)),
    }
}

/// The latest run of the pipeline of that name.
fn latest_run(index: &Index, name: &str) -> Option<RunHash> {
    let runs = index.run_heads().iter();
    let named = runs.filter(|(_, head)| name == LATEST || head.pipeline == name);
    named
        .max_by_key(|(hash, head)| (head.started_ms, **hash))
        .map(|(hash, _)| *hash)
}

/// Whether the text is the beginning of a hash.
fn is_prefix(text: &str) -> bool {
    let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    (1..=64).contains(&text.len()) && text.bytes().all(is_hex)
}

fn by_prefix(store: &Store, index: &Index, prefix: &str) -> Result<Subject, AuditError> {
    if !is_prefix(prefix) {
        return Err(AuditError::Unknown(prefix.to_owned()));
    }
    if prefix.len() < SHORTEST_PREFIX {
        return Err(AuditError::TooShort(prefix.to_owned()));
    }
    let mut found = BTreeSet::new();
    for object in store.objects(prefix)?.into_iter().flatten() {
        found.insert(of_object(index, object));
    }
    // Documents that are named but missing are still something to ask about.
    let range = range(prefix);
    let named = index.objects_in(range.clone()).into_iter();
    found.extend(named.map(|object| of_object(index, object)));
    let records = index.records_in(range).into_iter();
    found.extend(records.map(|(action, record)| Subject::Result { action, record }));
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(AuditError::Unknown(prefix.to_owned())),
        (Some(subject), None) => Ok(subject),
        (Some(first), Some(second)) => Err(AuditError::Ambiguous {
            name: prefix.to_owned(),
            matches: [first, second]
                .into_iter()
                .chain(found)
                .map(|subject| Match {
                    what: subject.what(),
                    object: subject.object(),
                })
                .collect(),
        }),
    }
}

/// The hashes that begin with a prefix of hexadecimal digits.
fn range(prefix: &str) -> RangeInclusive<ObjectHash> {
    let padded = |digit: u8| {
        let mut bytes = [0; 32];
        let digits = prefix.bytes().chain(iter::repeat(digit));
        for (place, digit) in digits.take(2 * bytes.len()).enumerate() {
            let value = char::from(digit).to_digit(16).unwrap_or(0) as u8;
            if let Some(byte) = bytes.get_mut(place / 2) {
                *byte = *byte << 4 | value;
            }
        }
        ObjectHash::from_bytes(bytes)
    };
    padded(b'0')..=padded(b'f')
}

/// The most telling of what the object is.
fn of_object(index: &Index, object: ObjectHash) -> Subject {
    let roles = index.roles(object);
    let documents = roles.iter().find_map(|role| match role {
        Role::Run(run) => Some(Subject::Run(*run)),
        Role::Action(action) => Some(Subject::Action(*action)),
        Role::Artifact(artifact) => Some(Subject::Artifact(*artifact)),
        Role::File { .. }
        | Role::Library { .. }
        | Role::Log { .. }
        | Role::PipelineFile(_)
        | Role::NetworksFile(_)
        | Role::FiguresFile(_)
        | Role::Pin(_) => None,
    });
    documents.unwrap_or(Subject::Object(object))
}
