//! Documents that are objects: action documents, artifact manifests and run manifests, and the
//! markers that name runs. It owns their reading and writing; results are records of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use assay_core::graph::Node;
use assay_core::{
    Action, ActionKey, Artifact, ArtifactFile, ArtifactHash, ObjectHash, Run, RunHash,
};
use serde::de::DeserializeOwned;

use crate::disk;
use crate::error::{At, StoreError};
use crate::store::{Part, Store};

/// The most bytes that are read of a document.
pub const DOCUMENT_LIMIT: u64 = 64 << 20;

/// The least digits of the time in a run marker's name: names sort by time until the year 2286.
const TIME_DIGITS: usize = 13;

impl Store {
    /// Stores the action and returns its key.
    ///
    /// # Errors
    /// A parameter has no canonical JSON, or the store cannot be written.
    pub fn put_action(&self, action: &Action) -> Result<ActionKey, StoreError> {
        let (key, bytes) = action.document().map_err(StoreError::canonical("action"))?;
        let guard = self.hold()?;
        self.put_bytes(&bytes)?;
        self.note(&guard, Node::Action(key));
        Ok(key)
    }

    /// Whether the action's document is there: a look at its entry, not its bytes.
    pub fn has_action(&self, key: ActionKey) -> Result<bool, StoreError> {
        self.has_object(key.into())
    }

    /// The action with this key.
    ///
    /// # Errors
    /// The action is missing, damaged, or of another version.
    pub fn action(&self, key: ActionKey) -> Result<Action, StoreError> {
        self.document(key.into(), "action")
    }

    /// Moves files into the store and makes an artifact of them: name → (file, media type). The
    /// files must lie in the store's file system, and nothing may write to them any more. If
    /// this fails halfway, files moved so far are objects that nothing names.
    ///
    /// # Errors
    /// A name is not a plain file name (nothing is moved then), or a file cannot be moved.
    pub fn commit_artifact(
        &self,
        files: BTreeMap<String, (PathBuf, String)>,
    ) -> Result<ArtifactHash, StoreError> {
        let mut artifact = Artifact::default();
        let mut paths = Vec::with_capacity(files.len());
        for (name, (path, media_type)) in files {
            // Names are checked before anything moves, so the objects are not known yet.
            let file = ArtifactFile {
                object: ObjectHash::from_bytes([0; 32]),
                size: 0,
                media_type,
            };
            artifact.files.insert(name, file);
            paths.push(path);
        }
        artifact.check_names()?;
        for (file, path) in artifact.files.values_mut().zip(paths) {
            (file.object, file.size) = self.put_file(&path)?;
        }
        self.put_artifact(&artifact)
    }

    /// Stores the manifest of an artifact whose files are objects already, and returns its hash.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_artifact(&self, artifact: &Artifact) -> Result<ArtifactHash, StoreError> {
        let (hash, bytes) = artifact
            .document()
            .map_err(StoreError::canonical("artifact"))?;
        self.put_bytes(&bytes)?;
        Ok(hash)
    }

    /// The manifest of the artifact, its bytes and the names in it checked.
    ///
    /// # Errors
    /// The manifest is missing or damaged, or names a file that would leave its folder.
    pub fn artifact(&self, hash: ArtifactHash) -> Result<Artifact, StoreError> {
        let artifact: Artifact = self.document(hash.into(), "artifact")?;
        artifact.check_names()?;
        Ok(artifact)
    }

    /// The path of a file of the artifact. It may be read in place; its bytes are not checked.
    ///
    /// # Errors
    /// As [`Store::artifact`], or the artifact has no such file.
    pub fn artifact_file_path(
        &self,
        hash: ArtifactHash,
        name: &str,
    ) -> Result<PathBuf, StoreError> {
        match self.artifact(hash)?.files.get(name) {
            Some(file) => Ok(self.object_path(file.object)),
            None => Err(StoreError::NoSuchFile {
                artifact: hash,
                name: name.to_owned(),
            }),
        }
    }

    /// Checks that the artifact can be used: its manifest is sound, and each of its objects is
    /// there with the size it should have. [`Store::verify`] is what reads every byte.
    ///
    /// # Errors
    /// The first thing that is missing or damaged, or the store cannot be read.
    pub fn check_artifact(&self, hash: ArtifactHash) -> Result<(), StoreError> {
        match self.first_absent(self.artifact(hash)?.objects())? {
            Some(object) if self.has_object(object)? => Err(StoreError::Damaged {
                object,
                path: self.object_path(object),
            }),
            Some(object) => Err(StoreError::Missing { object }),
            None => Ok(()),
        }
    }

    /// Whether [`Store::check_artifact`] finds nothing.
    ///
    /// # Errors
    /// The store cannot be read. Damage is no error here: the answer is no.
    pub fn is_intact(&self, hash: ArtifactHash) -> Result<bool, StoreError> {
        match self.check_artifact(hash) {
            Ok(()) => Ok(true),
            Err(error) if error.is_damage() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The first of these objects that is not there with its size in bytes.
    pub(crate) fn first_absent(
        &self,
        objects: impl IntoIterator<Item = (ObjectHash, u64)>,
    ) -> Result<Option<ObjectHash>, StoreError> {
        for (object, size) in objects {
            if !self.contains(object, size)? {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// Stores the manifest of a run, then the marker that names it. The manifest, the pipeline
    /// file and the actions that have no result of their own are flushed before the marker;
    /// the marker itself is left to the file system, and after a power cut is there or is not.
    ///
    /// # Errors
    /// The pipeline file or such an action is not in the store, or it cannot be written.
    pub fn commit_run(&self, run: &Run) -> Result<RunHash, StoreError> {
        let (hash, bytes) = run.document().map_err(StoreError::canonical("run"))?;
        let _guard = self.hold()?;
        let without_result = run.stages.iter().filter(|stage| stage.artifact.is_none());
        let actions = without_result.filter_map(|stage| stage.action.map(ObjectHash::from));
        let mut referenced = vec![run.file];
        referenced.extend(actions);
        for &object in &referenced {
            if !self.has_object(object)? {
                return Err(StoreError::Missing { object });
            }
        }
        referenced.push(self.put_bytes(&bytes)?);
        disk::sync(&Vec::from_iter(self.object_files(referenced)))?;

        let marker = self.marker_path(run.started_ms, hash);
        assay_files::append(&marker).at("create", &marker)?;
        Ok(hash)
    }

    pub(crate) fn marker_path(&self, started_ms: u64, hash: RunHash) -> PathBuf {
        let name = format!("{started_ms:0TIME_DIGITS$}-{hash}");
        self.part(Part::Runs).join(name)
    }

    /// When each run began, in milliseconds since 1970 (UTC), and its name; newest last.
    ///
    /// # Errors
    /// The folder cannot be read, or holds what is not a marker.
    pub fn runs(&self) -> Result<Vec<(u64, RunHash)>, StoreError> {
        let folder = self.part(Part::Runs);
        let mut runs = Vec::new();
        for path in disk::entries(&folder)? {
            let name = path.file_name().and_then(|name| name.to_str());
            match name.and_then(parse_marker) {
                Some(run) => runs.push(run),
                None => return Err(StoreError::Foreign { path }),
            }
        }
        runs.sort_unstable();
        Ok(runs)
    }

    /// The manifest of the run.
    ///
    /// # Errors
    /// The manifest is missing, damaged, or of another version.
    pub fn run(&self, hash: RunHash) -> Result<Run, StoreError> {
        self.document(hash.into(), "run")
    }

    fn document<T: DeserializeOwned>(
        &self,
        object: ObjectHash,
        what: &'static str,
    ) -> Result<T, StoreError> {
        let bytes = self.read_limited(object, DOCUMENT_LIMIT)?;
        serde_json::from_slice(&bytes).map_err(|source| StoreError::Document {
            what,
            path: self.object_path(object),
            source,
        })
    }
}

pub(crate) fn marker_name(started_ms: u64, run: RunHash) -> String {
    format!("{started_ms:0TIME_DIGITS$}-{run}")
}

pub(crate) fn parse_marker(name: &str) -> Option<(u64, RunHash)> {
    let (time, hash) = name.split_once('-')?;
    let digits = time.len() >= TIME_DIGITS && time.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return None;
    }
    Some((time.parse().ok()?, hash.parse().ok()?))
}
