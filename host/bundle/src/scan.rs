//! Reads a bundle from beginning to end: every file against its hash, every document into memory,
//! everything else to where the caller wants it. What the documents say of each other is checked
//! in [`crate::unbundle()`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, Write};

use assay_core::graph::{ActionEntry, Graph};
use assay_core::{
    Action, ActionKey, ActionResult, Artifact, ArtifactHash, ObjectHash, Record, Run, RunHash,
    canonical_json,
};
use assay_store::{DOCUMENT_LIMIT, Store, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tempfile::TempPath;

use crate::archive::Reader;
use crate::contents::Contents;
use crate::error::{BundleError, Refusal, uncanonical};
use crate::layout::{BundleFile, FORMAT};
use crate::limits::Limits;
use crate::metadata::FileFacts;
use crate::watch::Watch;

/// How much of a file is held at a time.
const PIECE: usize = 256 << 10;

/// Contents of a bundle, each file checked against its name.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) run: Option<(u64, RunHash)>,
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) files: BTreeMap<BundleFile, FileFacts>,
    pub(crate) staged: BTreeMap<ObjectHash, TempPath>,
    documents: HashMap<ObjectHash, Vec<u8>>,
    records: BTreeMap<ActionKey, Vec<Record>>,
    held: u64,
}

/// Reads a bundle of `length` bytes. Objects are staged in `store`, if there is one, where they go
/// when the result is dropped.
///
/// # Errors
/// The first thing that is wrong with it.
pub(crate) fn scan(
    input: impl BufRead,
    length: u64,
    store: Option<&Store>,
    limits: &Limits,
    watch: Watch<'_>,
) -> Result<Scanned, BundleError> {
    let mut scanned = Scanned::default();
    let mut reader = Reader::new(input)?;
    let mut unpacked = 0_u64;
    while let Some((name, size)) = reader.next()? {
        let entry = BundleFile::parse(&name).ok_or_else(|| BundleError::Entry {
            name: name.clone(),
            why: Refusal::Name,
        })?;
        unpacked = unpacked.saturating_add(size);
        if unpacked > limits.size {
            return Err(BundleError::TooLarge { limit: limits.size });
        }
        if scanned.files.len() as u64 >= limits.files {
            return Err(BundleError::TooMany {
                limit: limits.files,
            });
        }
        let mut pending = PendingEntry::new(entry, size, store, limits)?;
        let mut left = size;
        let mut buffer = vec![0; PIECE.min(usize::try_from(size).unwrap_or(PIECE))];
        while left > 0 {
            if (watch.stopped)() {
                return Err(BundleError::Stopped);
            }
            let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = buffer.get_mut(..wanted).unwrap_or_default();
            reader.fill(piece)?;
            pending.add(piece, scanned.held, limits)?;
            left -= piece.len() as u64;
            (watch.progress)(reader.packed(), length);
        }
        reader.skip_padding(&name, size)?;
        scanned.finish(pending, &name)?;
    }
    (watch.progress)(length, length);
    Ok(scanned)
}

/// A file that is being read.
struct PendingEntry {
    entry: BundleFile,
    size: u64,
    blake3: blake3::Hasher,
    sha256: Sha256,
    /// Its bytes, as long as it may be a document.
    held: Option<Vec<u8>>,
    staged: Option<tempfile::NamedTempFile>,
}

impl PendingEntry {
    fn new(
        entry: BundleFile,
        size: u64,
        store: Option<&Store>,
        limits: &Limits,
    ) -> Result<Self, BundleError> {
        let is_object = matches!(entry, BundleFile::Object(_));
        if !is_object && size > DOCUMENT_LIMIT.min(limits.documents) {
            return Err(BundleError::Documents {
                limit: DOCUMENT_LIMIT.min(limits.documents),
            });
        }
        let staged = match store {
            Some(store) if is_object => Some(store.empty_temporary()?),
            _ => None,
        };
        Ok(Self {
            entry,
            size,
            blake3: blake3::Hasher::new(),
            sha256: Sha256::new(),
            held: (size <= DOCUMENT_LIMIT).then(Vec::new),
            staged,
        })
    }

    fn add(&mut self, piece: &[u8], held: u64, limits: &Limits) -> Result<(), BundleError> {
        self.blake3.update(piece);
        self.sha256.update(piece);
        if let Some(bytes) = &mut self.held {
            let begins = bytes.first().or(piece.first());
            let is_object = matches!(self.entry, BundleFile::Object(_));
            if is_object && begins != Some(&b'{') {
                // Documents are canonical JSON: these are other bytes.
                self.held = None;
            } else if held + (bytes.len() + piece.len()) as u64 > limits.documents {
                return Err(BundleError::Documents {
                    limit: limits.documents,
                });
            } else {
                bytes.extend_from_slice(piece);
            }
        }
        if let Some(file) = &mut self.staged {
            let written = file.write_all(piece);
            written.map_err(|source| StoreError::Io {
                operation: "write",
                path: file.path().to_owned(),
                source,
            })?;
        }
        Ok(())
    }
}

impl Scanned {
    fn finish(&mut self, pending: PendingEntry, name: &str) -> Result<(), BundleError> {
        let refused = |why| BundleError::Entry {
            name: name.to_owned(),
            why,
        };
        let hash = ObjectHash::from(pending.blake3.finalize());
        let bytes = pending.held;
        match pending.entry {
            BundleFile::Format if bytes.as_deref() == Some(FORMAT) => {}
            BundleFile::Run { started_ms, run } if pending.size == 0 && self.run.is_none() => {
                self.run = Some((started_ms, run));
            }
            BundleFile::Format | BundleFile::Run { .. } => return Err(refused(Refusal::Content)),
            BundleFile::Object(object) | BundleFile::Record { record: object, .. }
                if object != hash =>
            {
                return Err(refused(Refusal::Hash));
            }
            BundleFile::Object(object) => {
                if let Some(bytes) = bytes {
                    self.held += bytes.len() as u64;
                    self.documents.insert(object, bytes);
                }
                if let Some(staged) = pending.staged {
                    self.staged.insert(object, staged.into_temp_path());
                }
            }
            BundleFile::Record { action, record } => {
                let result = parse_record(action, record, &bytes.unwrap_or_default())?;
                self.held += pending.size;
                self.records
                    .entry(action)
                    .or_default()
                    .push((record, result));
            }
            BundleFile::Metadata => {
                self.held += pending.size;
                self.metadata = bytes;
            }
        }
        let facts = FileFacts {
            size: pending.size,
            sha256: pending.sha256.finalize().into(),
        };
        self.files.insert(pending.entry, facts);
        Ok(())
    }

    /// The size of an object, if it is there.
    pub(crate) fn size(&self, object: ObjectHash) -> Option<u64> {
        self.files
            .get(&BundleFile::Object(object))
            .map(|facts| facts.size)
    }

    /// The bytes of a document that is there.
    pub(crate) fn document(
        &self,
        what: &'static str,
        object: ObjectHash,
    ) -> Result<&[u8], BundleError> {
        let found = self.documents.get(&object).map(Vec::as_slice);
        found.ok_or_else(|| {
            if self.size(object).is_some() {
                let problem = "is no document".to_owned();
                BundleError::Document {
                    what,
                    object,
                    problem,
                }
            } else {
                let what = what.to_owned();
                BundleError::Missing { what, object }
            }
        })
    }

    /// The contents of the bundle, whose run it is said to be of. Every document is verified.
    ///
    /// # Errors
    /// As [`Received::contents`].
    pub(crate) fn contents(&self, run: RunHash) -> Result<Contents, BundleError> {
        let read = |what, object| self.document(what, object);
        Received::new(&read, &self.records).contents(run)
    }
}

/// Documents and records from somebody who may be hostile, each checked against its hash and nothing else.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    document: &'a dyn Fn(&'static str, ObjectHash) -> Result<&'a [u8], BundleError>,
    records: &'a BTreeMap<ActionKey, Vec<Record>>,
}

impl std::fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received").finish_non_exhaustive()
    }
}

impl<'a> Received<'a> {
    /// `document` gives the bytes of a document, which it is told in a word, or the error that there is none.
    pub fn new(
        document: &'a dyn Fn(&'static str, ObjectHash) -> Result<&'a [u8], BundleError>,
        records: &'a BTreeMap<ActionKey, Vec<Record>>,
    ) -> Self {
        Self { document, records }
    }

    /// The record of an action with this name, from its bytes.
    ///
    /// # Errors
    /// They are malformed, of another action or not in canonical form.
    pub fn record(
        action: ActionKey,
        record: ObjectHash,
        bytes: &[u8],
    ) -> Result<Record, BundleError> {
        Ok((record, parse_record(action, record, bytes)?))
    }

    /// The contents that the run is said to have. Every document is verified.
    ///
    /// # Errors
    /// A document is missing, malformed or not in canonical form, or there are records of an action
    /// that the run does not rest on.
    pub fn contents(&self, run: RunHash) -> Result<Contents, BundleError> {
        let manifest: Run = parse(
            "run manifest",
            run.into(),
            self.document("run manifest", run)?,
        )?;
        let named = manifest.stages.iter().filter_map(|stage| stage.action);
        let keys: BTreeSet<_> = named.chain(self.records.keys().copied()).collect();
        let mut graph = Graph::default();
        let mut actions = BTreeMap::new();
        for key in keys {
            // One that cannot be read matters only if the run rests on it.
            let action = self.find_action(key).ok();
            let entry = ActionEntry {
                document: action.clone().map(Into::into),
                results: self.records.get(&key).cloned().unwrap_or_default(),
            };
            graph.add_action(key, entry);
            actions.extend(action.map(|action| (key, action)));
        }
        let action = |key| match actions.remove(&key) {
            Some(action) => Ok(action),
            None => self.find_action(key),
        };
        let contents = Contents::gather(graph, run, manifest, action, |hash| {
            Self::artifact(hash, self.document("artifact manifest", hash)?)
        });
        let contents = contents.map_err(|error| match error {
            BundleError::NoResult { stage, artifact } => {
                BundleError::Unconfirmed { stage, artifact }
            }
            error => error,
        })?;
        let mut recorded = self.records.keys();
        match recorded.find(|key| !contents.actions.contains_key(key)) {
            Some(&action) => Err(BundleError::StrayAction { action }),
            None => Ok(contents),
        }
    }

    fn find_action(&self, key: ActionKey) -> Result<Action, BundleError> {
        Self::action(key, self.document("action", key)?)
    }

    fn document(
        &self,
        what: &'static str,
        object: impl Into<ObjectHash>,
    ) -> Result<&'a [u8], BundleError> {
        (self.document)(what, object.into())
    }

    /// The action with this key, from its bytes, which were checked against it.
    ///
    /// # Errors
    /// They are malformed or not in canonical form.
    pub fn action(key: ActionKey, bytes: &[u8]) -> Result<Action, BundleError> {
        parse("action", key.into(), bytes)
    }

    /// The manifest of the artifact, from its bytes, which were checked against its hash.
    ///
    /// # Errors
    /// They are malformed, not in canonical form, or name a file that no artifact holds.
    pub fn artifact(hash: ArtifactHash, bytes: &[u8]) -> Result<Artifact, BundleError> {
        let artifact: Artifact = parse("artifact manifest", hash.into(), bytes)?;
        artifact
            .check_names()
            .map_err(|error| BundleError::Document {
                what: "artifact manifest",
                object: hash.into(),
                problem: format!("names a file that no artifact holds: {error}"),
            })?;
        Ok(artifact)
    }
}

/// The document, whose canonical JSON must be the very bytes that were hashed.
fn parse<T: DeserializeOwned + Serialize>(
    what: &'static str,
    object: ObjectHash,
    bytes: &[u8],
) -> Result<T, BundleError> {
    let refused = |problem: String| BundleError::Document {
        what,
        object,
        problem,
    };
    let value: T = serde_json::from_slice(bytes)
        .map_err(|error| refused(format!("cannot be read: {error}")))?;
    if canonical_json(&value).map_err(uncanonical(what, object))? != bytes {
        return Err(refused("is not in canonical form".to_owned()));
    }
    Ok(value)
}

fn parse_record(
    action: ActionKey,
    record: ObjectHash,
    bytes: &[u8],
) -> Result<ActionResult, BundleError> {
    let result: ActionResult = parse("record", record, bytes)?;
    if result.action != action {
        return Err(BundleError::Document {
            what: "record",
            object: record,
            problem: format!("is not of action {action}"),
        });
    }
    Ok(result)
}
