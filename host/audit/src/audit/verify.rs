//! Loads the graph of a store for an audit: every document that its runs, results and pins reach,
//! each read once and held against its name and its canonical form. Unlike the
//! [`Index`](assay_store::Index) it stops at nothing: what is wrong with a document is set down, and
//! what it says is used as far as it can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assay_core::graph::{ActionEntry, Graph, Node, Role};
use assay_core::{
    Action, ActionKey, ActionResult, Artifact, ArtifactHash, ObjectHash, Record, Run, RunHash,
    canonical_json,
};
use assay_store::{Found, Store, StoreError, Survey};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::finding::{Fault, Location};

/// A store whose documents were verified.
#[derive(Debug)]
pub(super) struct Verified<'a> {
    pub(super) store: &'a Store,
    pub(super) survey: Survey,
    pub(super) graph: Graph,
    /// Hash, size, first byte and write permission found for the objects that were read.
    pub(super) found: BTreeMap<ObjectHash, Found>,
    /// Objects that were looked for, whatever came of it.
    pub(super) seen: BTreeSet<ObjectHash>,
    pub(super) faults: Vec<(Location, Fault)>,
    pub(super) writable: Vec<PathBuf>,
}

/// A document as it was read.
struct Read<T> {
    found: Option<Found>,
    value: Option<T>,
    fault: Option<Fault>,
}

impl<'a> Verified<'a> {
    pub(super) fn load(store: &'a Store) -> Self {
        let mut verified = Self {
            store,
            survey: store.survey(),
            graph: Graph::default(),
            found: BTreeMap::new(),
            seen: BTreeSet::new(),
            faults: Vec::new(),
            writable: Vec::new(),
        };
        verified.add_pins();
        verified.add_runs();
        let results = verified.read_records();
        verified.add_actions(results);
        verified.add_artifacts();
        verified
    }

    /// Whether the object is there and has the bytes of its name.
    pub(super) fn is_sound(&self, object: ObjectHash) -> bool {
        let found = self.found.get(&object);
        found.is_some_and(|found| found.hash == object)
    }

    /// Roles of the object.
    pub(super) fn roles(&self, object: ObjectHash) -> &[Role] {
        self.graph.objects().get(&object).map_or(&[], Vec::as_slice)
    }

    /// Sets down what was found in an object's place.
    pub(super) fn add_found(&mut self, object: ObjectHash, found: Found) {
        self.found.insert(object, found);
        if found.writable {
            self.writable.push(self.store.object_path(object));
        }
    }

    fn add_pins(&mut self) {
        for path in &self.survey.pins {
            match self.store.pin_at(path) {
                Ok((label, node)) => self.graph.add_pin(label, node),
                // Whoever unpins waits for nobody.
                Err(_) if path.symlink_metadata().is_err() => {}
                Err(error) => {
                    let location = Location::Path(path.clone());
                    self.faults.push((location, wrong_pin(error)));
                }
            }
        }
    }

    fn add_runs(&mut self) {
        let marked = self.survey.markers.iter().map(|marker| marker.run);
        let pinned = self.graph.pins().values().filter_map(|node| match node {
            Node::Run(run) => Some(*run),
            Node::Action(_) | Node::Artifact(_) | Node::Object(_) => None,
        });
        let named: BTreeSet<_> = marked.chain(pinned).collect();
        for (hash, run) in self.read::<Run, RunHash>("run", named) {
            match run {
                Some(run) => self.graph.add_run(hash, run.started_ms, run),
                None => self.graph.add_damaged(Node::Run(hash)),
            }
        }
    }

    /// The sound records of each action that has any record.
    fn read_records(&mut self) -> BTreeMap<ActionKey, Vec<Record>> {
        let (store, records) = (self.store, &self.survey.records);
        let read = records
            .par_iter()
            .map(|(key, path)| (*key, path.clone(), record(store, *key, path)));
        let read: Vec<_> = read.collect();
        let mut results = BTreeMap::<_, Vec<Record>>::new();
        for (action, path, record) in read {
            let results = results.entry(action).or_default();
            if record.found.is_some_and(|found| found.writable) {
                self.writable.push(path.clone());
            }
            if let Some(fault) = record.fault {
                self.faults.push((Location::Record { action, path }, fault));
            } else if let (Some(found), Some(result)) = (record.found, record.value) {
                results.push((found.hash, result));
            }
        }
        results
    }

    fn add_actions(&mut self, mut results: BTreeMap<ActionKey, Vec<Record>>) {
        let mut named = self.graph.named_actions();
        named.extend(results.keys());
        for (key, action) in self.read::<Action, ActionKey>("action", named) {
            let entry = ActionEntry {
                document: action.map(Into::into),
                results: results.remove(&key).unwrap_or_default(),
            };
            self.graph.add_action(key, entry);
        }
    }

    fn add_artifacts(&mut self) {
        let named = self.graph.named_artifacts();
        for (hash, artifact) in self.read::<Artifact, ArtifactHash>("artifact", named) {
            let Some(artifact) = artifact else {
                self.graph.add_damaged(Node::Artifact(hash));
                continue;
            };
            if let Err(why) = artifact.check_names() {
                let (what, why) = ("artifact", why.to_string());
                let fault = Fault::Document { what, why };
                self.faults.push((Location::Object(hash.into()), fault));
            }
            self.graph.add_artifact(hash, artifact);
        }
    }

    /// Reads documents of one kind, and sets down what is wrong with them.
    fn read<T, H>(&mut self, what: &'static str, named: BTreeSet<H>) -> Vec<(H, Option<T>)>
    where
        T: Serialize + DeserializeOwned + Send,
        H: Copy + Into<ObjectHash> + Send + Sync,
    {
        let store = self.store;
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
                self.add_found(object, found);
            }
            if let Some(fault) = document.fault {
                self.faults.push((Location::Object(object), fault));
            }
            values.push((hash, document.value));
        }
        values
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
