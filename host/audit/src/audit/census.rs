//! Every document that the runs, results and pins of a store reach, each read once and held against
//! its name and its canonical form. Unlike the [`Index`](crate::Index) it stops at nothing: what
//! is wrong with a document is set down, and what it says is used as far as it can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assay_core::{
    Action, ActionKey, ActionResult, Artifact, ArtifactHash, ObjectHash, Run, RunHash,
    canonical_json,
};
use assay_store::{Found, Pinned, Store, StoreError, Survey};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::finding::{Fault, Place};
use crate::index::{Role, StageUse};

/// Contents of the documents, and the faults found in them.
#[derive(Debug, Default)]
pub(super) struct Census {
    pub(super) runs: BTreeMap<RunHash, Run>,
    /// The pins, by their files.
    pub(super) pins: BTreeMap<PathBuf, Pinned>,
    /// The actions that a run, a result or a pin names; nothing of those that cannot be read.
    pub(super) actions: BTreeMap<ActionKey, Option<Action>>,
    pub(super) records: BTreeMap<ActionKey, Vec<Filed>>,
    pub(super) artifacts: BTreeMap<ArtifactHash, Artifact>,
    /// Artifacts that each action produced, according to its results or a run.
    pub(super) gave: BTreeMap<ActionKey, BTreeSet<ArtifactHash>>,
    /// Actions that produced each artifact: the inverse of `gave`.
    pub(super) producers: BTreeMap<ArtifactHash, Vec<ActionKey>>,
    /// The actions that read each artifact.
    pub(super) readers: BTreeMap<ArtifactHash, Vec<ActionKey>>,
    /// Stages of runs that refer to each action.
    pub(super) stages: BTreeMap<ActionKey, Vec<StageUse>>,
    /// Roles of each object.
    pub(super) roles: BTreeMap<ObjectHash, BTreeSet<Role>>,
    /// Hash, size, first byte and write permission found for the objects that were read.
    pub(super) found: BTreeMap<ObjectHash, Found>,
    /// Objects that were looked for, whatever came of it.
    pub(super) seen: BTreeSet<ObjectHash>,
    pub(super) faults: Vec<(Place, Fault)>,
    pub(super) writable: Vec<PathBuf>,
}

/// A record and where it lies.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) path: PathBuf,
    pub(super) result: ActionResult,
}

/// A document as it was read.
struct Read<T> {
    found: Option<Found>,
    value: Option<T>,
    fault: Option<Fault>,
}

impl Census {
    pub(super) fn take(store: &Store, survey: &Survey) -> Self {
        let mut census = Self::default();
        census.add_pins(store, survey);
        census.add_runs(store, survey);
        census.add_records(store, &survey.records);
        census.add_actions(store);
        census.add_artifacts(store);
        census.link();
        census
    }

    /// Whether the object is there and has the bytes of its name.
    pub(super) fn is_sound(&self, object: ObjectHash) -> bool {
        self.found
            .get(&object)
            .is_some_and(|found| found.hash == object)
    }

    /// Sets down what was found in an object's place.
    pub(super) fn add_found(&mut self, store: &Store, object: ObjectHash, found: Found) {
        self.found.insert(object, found);
        if found.writable {
            self.writable.push(store.object_path(object));
        }
    }

    fn add_pins(&mut self, store: &Store, survey: &Survey) {
        for path in &survey.pins {
            match store.pin_at(path) {
                Ok((label, pinned)) => {
                    self.add_role(pinned.object(), Role::Pin(label));
                    if let Pinned::Action(action) = pinned {
                        self.actions.insert(action, None);
                    }
                    self.pins.insert(path.clone(), pinned);
                }
                // Whoever unpins waits for nobody.
                Err(_) if path.symlink_metadata().is_err() => {}
                Err(error) => {
                    let place = Place::Entry(path.clone());
                    self.faults.push((place, wrong_pin(error)));
                }
            }
        }
    }

    fn add_runs(&mut self, store: &Store, survey: &Survey) {
        let marked = survey.markers.iter().map(|marker| marker.run);
        let pinned = self.pins.values().filter_map(|pinned| match pinned {
            Pinned::Run(run) => Some(*run),
            _ => None,
        });
        let named: BTreeSet<_> = marked.chain(pinned).collect();
        for (hash, run) in self.read::<Run, RunHash>(store, "run", named) {
            self.add_role(hash.into(), Role::Run(hash));
            let Some(run) = run else { continue };
            self.add_role(run.file, Role::PipelineFile(hash));
            if let Some(networks) = run.networks {
                self.add_role(networks, Role::NetworksFile(hash));
            }
            let actions = run.stages.iter().filter_map(|stage| stage.action);
            self.actions.extend(actions.map(|action| (action, None)));
            self.runs.insert(hash, run);
        }
    }

    fn add_records(&mut self, store: &Store, records: &[(ActionKey, PathBuf)]) {
        let read = records
            .par_iter()
            .map(|(key, path)| record(store, *key, path));
        let read: Vec<_> = read.collect();
        for ((action, path), record) in records.iter().zip(read) {
            let (action, path) = (*action, path.clone());
            self.actions.entry(action).or_default();
            if record.found.is_some_and(|found| found.writable) {
                self.writable.push(path.clone());
            }
            if let Some(fault) = record.fault {
                self.faults.push((Place::Record { action, path }, fault));
            } else if let (Some(found), Some(result)) = (record.found, record.value) {
                if let Some(log) = result.log {
                    let record = found.hash;
                    self.add_role(log, Role::Log { action, record });
                }
                let filed = Filed { path, result };
                self.records.entry(action).or_default().push(filed);
            }
        }
    }

    fn add_actions(&mut self, store: &Store) {
        let named: BTreeSet<_> = self.actions.keys().copied().collect();
        for (key, action) in self.read::<Action, ActionKey>(store, "action", named) {
            self.add_role(key.into(), Role::Action(key));
            if let Some(pin) = action.as_ref().and_then(|action| action.plugin.clone()) {
                let (action, plugin) = (key, pin.name);
                self.add_role(pin.hash.into(), Role::Library { action, plugin });
            }
            self.actions.insert(key, action);
        }
    }

    fn add_artifacts(&mut self, store: &Store) {
        let results = self.records.values().flatten();
        let stages = self.runs.values().flat_map(|run| &run.stages);
        let inputs = self.actions.values().flatten();
        let pinned = self.pins.values().filter_map(|pinned| match pinned {
            Pinned::Artifact(artifact) => Some(*artifact),
            _ => None,
        });
        let named: BTreeSet<_> = results
            .map(|filed| filed.result.artifact)
            .chain(stages.filter_map(|stage| stage.artifact))
            .chain(inputs.flat_map(|action| action.inputs.values().copied()))
            .chain(pinned)
            .collect();
        for (hash, artifact) in self.read::<Artifact, ArtifactHash>(store, "artifact", named) {
            self.add_role(hash.into(), Role::Artifact(hash));
            let Some(artifact) = artifact else { continue };
            if let Err(why) = artifact.check_names() {
                let (what, why) = ("artifact", why.to_string());
                let fault = Fault::Document { what, why };
                self.faults.push((Place::Object(hash.into()), fault));
            }
            for (name, file) in &artifact.files {
                let (artifact, name) = (hash, name.clone());
                self.add_role(file.object, Role::File { artifact, name });
            }
            self.artifacts.insert(hash, artifact);
        }
    }

    /// Turns what names what around.
    fn link(&mut self) {
        for (key, records) in &self.records {
            let gave = records.iter().map(|filed| filed.result.artifact);
            self.gave.entry(*key).or_default().extend(gave);
        }
        for stage in self.runs.values().flat_map(|run| &run.stages) {
            if let Some(action) = stage.action {
                self.gave.entry(action).or_default().extend(stage.artifact);
            }
        }
        for (key, gave) in &self.gave {
            for artifact in gave {
                self.producers.entry(*artifact).or_default().push(*key);
            }
        }
        for (key, action) in &self.actions {
            let inputs = action.iter().flat_map(|action| action.inputs.values());
            for artifact in inputs.copied().collect::<BTreeSet<_>>() {
                self.readers.entry(artifact).or_default().push(*key);
            }
        }
        for (&run, manifest) in &self.runs {
            for stage in &manifest.stages {
                if let Some(action) = stage.action {
                    let stage = stage.name.clone();
                    let uses = self.stages.entry(action).or_default();
                    uses.push(StageUse { run, stage });
                }
            }
        }
    }

    /// Reads documents of one kind, and sets down what is wrong with them.
    fn read<T, H>(
        &mut self,
        store: &Store,
        what: &'static str,
        named: BTreeSet<H>,
    ) -> Vec<(H, Option<T>)>
    where
        T: Serialize + DeserializeOwned + Send,
        H: Copy + Into<ObjectHash> + Send + Sync,
    {
        let named: Vec<_> = named.into_iter().collect();
        let read = named.par_iter().map(|&hash| {
            let object: ObjectHash = hash.into();
            let document = match store.examine_document(object) {
                Ok((found, bytes)) if found.hash == object => parse(what, found, &bytes),
                Ok((found, _)) => Read {
                    found: Some(found),
                    value: None,
                    fault: Some(Fault::Bytes {
                        found: found.hash,
                        size: found.size,
                    }),
                },
                Err(error) => Read {
                    found: None,
                    value: None,
                    fault: Some(Fault::of(error)),
                },
            };
            (hash, document)
        });
        let read: Vec<(H, Read<T>)> = read.collect();
        let mut values = Vec::with_capacity(read.len());
        for (hash, document) in read {
            let object = hash.into();
            self.seen.insert(object);
            if let Some(found) = document.found {
                self.add_found(store, object, found);
            }
            if let Some(fault) = document.fault {
                self.faults.push((Place::Object(object), fault));
            }
            values.push((hash, document.value));
        }
        values
    }

    fn add_role(&mut self, object: ObjectHash, role: Role) {
        self.roles.entry(object).or_default().insert(role);
    }
}

fn wrong_pin(error: StoreError) -> Fault {
    match error {
        StoreError::Foreign { .. } | StoreError::TooLarge { .. } => Fault::Document {
            what: "pin",
            why: "it is one line, a kind and a hash".to_owned(),
        },
        error => Fault::of(error),
    }
}

/// A document of bytes that have their hash.
fn parse<T: Serialize + DeserializeOwned>(
    what: &'static str,
    found: Found,
    bytes: &[u8],
) -> Read<T> {
    let (value, fault) = match serde_json::from_slice::<T>(bytes) {
        Ok(value) => {
            let is_canonical = canonical_json(&value).is_ok_and(|again| again == bytes);
            let fault = (!is_canonical).then_some(Fault::NotCanonical { what });
            (Some(value), fault)
        }
        Err(error) => {
            let why = error.to_string();
            (None, Some(Fault::Document { what, why }))
        }
    };
    Read {
        found: Some(found),
        value,
        fault,
    }
}

fn record(store: &Store, action: ActionKey, path: &Path) -> Read<ActionResult> {
    let (found, bytes) = match store.examine_record(path) {
        Ok(read) => read,
        Err(error) => {
            return Read {
                found: None,
                value: None,
                fault: Some(Fault::of(error)),
            };
        }
    };
    let mut record = parse::<ActionResult>("result", found, &bytes);
    let name = path.file_name().and_then(|name| name.to_str());
    if name != Some(format!("{}.json", found.hash).as_str()) {
        record.fault = Some(Fault::RecordName { found: found.hash });
    } else if let Some(says) = record.value.as_ref().map(|result| result.action)
        && says != action
    {
        record.fault = Some(Fault::RecordAction { says });
    }
    record
}
