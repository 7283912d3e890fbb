//! The index of a store in two files: tables of its documents, and the documents in their packed form, each
//! to be unpacked when it is asked for. An image stands for the listing of the store that it was made
//! from. As long as the store has that listing, nothing else of it has to be read; after that, the image
//! is a cache of single documents.

use std::collections::BTreeMap;
use std::fs;
use std::mem;
use std::sync::{Arc, OnceLock};

use assay_core::graph::{ActionEntry, Documents, Graph, Node, Packed, RunEntry, RunHead, Search};
use assay_core::{ActionKey, Artifact, ArtifactHash, ObjectHash, Run, RunHash};
use memchr::memmem;
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Index;
use super::documents::DocumentBytes;
use super::packed::{Cache, PackedAction, PackedRun};
use crate::cache::cache_path;
use crate::stamp::Stamp;
use crate::store::Store;

/// The name of the tables in the cache, with the version of their form.
const TABLES: &str = "index-3";

/// Packed documents with their tables. Whoever can write to the cache can make them say anything, so no
/// place is relied on to be there.
#[derive(Debug)]
pub(super) struct Image {
    store: Store,
    tables: Tables,
    /// The documents, once one was asked for.
    documents: OnceLock<DocumentBytes>,
}

/// The documents of each kind in the order of their names. They lie in the order of the tables, one after
/// the other.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Tables {
    /// Hash of the listing that the image stands for, if it stands for one.
    listing: Option<ObjectHash>,
    runs: Vec<(RunHash, RunHead)>,
    actions: Vec<ActionKey>,
    artifacts: Vec<ArtifactHash>,
    /// The end of each document, counted from the beginning of the first.
    ends: Vec<u32>,
    /// The hashes of the pieces that the bytes of all documents are read in.
    pieces: Vec<ObjectHash>,
}

impl Image {
    /// The image in the store's cache; nothing if there is none, or it is damaged.
    pub(super) fn read(store: &Store) -> Option<Self> {
        let tables = store.remembered(TABLES)?;
        Some(Self {
            store: store.clone(),
            tables: postcard::from_bytes(&tables).ok()?,
            documents: OnceLock::new(),
        })
    }

    /// Keeps an index for the next process. A store that cannot keep it is only slower.
    pub(super) fn write(
        store: &Store,
        index: &Index,
        listing: Option<ObjectHash>,
        folders: &BTreeMap<ActionKey, Stamp>,
        sizes: &BTreeMap<RunHash, u64>,
    ) {
        let Some((mut tables, documents)) = pack(index, listing, folders, sizes) else {
            return;
        };
        // A process that reads the tables beside this finds the documents that belong to them, or
        // does without any.
        let _ = DocumentBytes::write(store, &documents).and_then(|pieces| {
            tables.pieces = pieces;
            match postcard::to_allocvec(&tables) {
                Ok(tables) => store.remember(TABLES, &tables),
                Err(_) => Ok(()),
            }
        });
    }

    /// The sizes of runs, where they are known. They are those of documents that never change.
    pub(super) fn sizes(&self) -> BTreeMap<RunHash, u64> {
        let heads = self.tables.runs.iter();
        heads
            .filter_map(|(run, head)| Some((*run, head.size?)))
            .collect()
    }

    /// True if it stands for this listing.
    pub(super) fn stands_for(&self, listing: ObjectHash) -> bool {
        self.tables.listing == Some(listing)
    }

    /// The graph of the documents, with these pins.
    pub(super) fn into_graph(self, pins: BTreeMap<String, Node>) -> Graph {
        let image = Arc::new(self);
        let Tables {
            runs,
            actions,
            artifacts,
            ..
        } = &image.tables;
        let (run, action, artifact, search) = (
            Arc::clone(&image),
            Arc::clone(&image),
            Arc::clone(&image),
            Arc::clone(&image),
        );
        Graph::from(Packed {
            heads: runs.iter().cloned().collect(),
            runs: Documents::packed(
                runs.iter().map(|(run, _)| *run),
                Box::new(move |place| run.run_entry(place)),
            ),
            actions: Documents::packed(
                actions.iter().copied(),
                Box::new(move |place| action.action_entry(place)),
            ),
            artifacts: Documents::packed(
                artifacts.iter().copied(),
                Box::new(move |place| artifact.artifact_entry(place)),
            ),
            pins,
            search: Search(Box::new(move |beginning| search.find(beginning))),
        })
    }

    /// The documents one by one.
    pub(super) fn unpack(&self) -> Cache {
        let Tables {
            runs,
            actions,
            artifacts,
            ..
        } = &self.tables;
        let runs = runs.par_iter().enumerate();
        let runs = runs.filter_map(|(place, (run, _))| Some((*run, self.run(place)?)));
        let actions = actions.par_iter().enumerate();
        let actions = actions.filter_map(|(place, key)| Some((*key, self.action(place)?)));
        let artifacts = artifacts.par_iter().enumerate();
        let artifacts = artifacts.filter_map(|(place, hash)| Some((*hash, self.artifact(place)?)));
        Cache {
            runs: runs.collect(),
            actions: actions.collect(),
            artifacts: artifacts.collect(),
        }
    }

    fn run(&self, place: usize) -> Option<PackedRun> {
        self.document(place)
    }

    fn action(&self, place: usize) -> Option<PackedAction> {
        self.document(self.tables.runs.len() + place)
    }

    fn artifact(&self, place: usize) -> Option<Artifact> {
        self.document(self.tables.runs.len() + self.tables.actions.len() + place)
    }

    /// The run at a place, from the store where it cannot be unpacked. That holds for the others too.
    fn run_entry(&self, place: usize) -> Option<RunEntry> {
        let (hash, head) = self.tables.runs.get(place)?;
        let unpacked = self.run(place).map(Run::from);
        Some(RunEntry {
            started_ms: head.started_ms,
            run: unpacked.or_else(|| self.store.run(*hash).ok())?,
        })
    }

    fn action_entry(&self, place: usize) -> Option<ActionEntry> {
        if let Some(packed) = self.action(place) {
            return Some(packed.into());
        }
        let key = *self.tables.actions.get(place)?;
        let records = self.store.records(key).ok()?;
        let records = records.into_iter().filter_map(Result::ok);
        let document = self.store.action(key).ok();
        Some(ActionEntry::new(
            document.map(Into::into),
            records.collect(),
        ))
    }

    fn artifact_entry(&self, place: usize) -> Option<Artifact> {
        let hash = *self.tables.artifacts.get(place)?;
        self.artifact(place)
            .or_else(|| self.store.artifact(hash).ok())
    }

    fn document<T: DeserializeOwned>(&self, place: usize) -> Option<T> {
        let end = |place: usize| Some(*self.tables.ends.get(place)? as usize);
        let start = place.checked_sub(1).map_or(Some(0), end)?;
        let (documents, end) = (self.documents(), end(place)?);
        if start > end {
            return None;
        }
        let bytes = self.or_forget(documents.at(start..end))?;
        postcard::from_bytes(&bytes).ok()
    }

    fn documents(&self) -> &DocumentBytes {
        self.documents.get_or_init(|| {
            let Tables { ends, pieces, .. } = &self.tables;
            let length = ends.last().map_or(0, |end| *end as usize);
            DocumentBytes::open(&self.store, length, pieces)
        })
    }

    /// What was read of the documents. Where that is nothing the tables go: without them the next process writes both anew.
    fn or_forget<T>(&self, read: Option<T>) -> Option<T> {
        if read.is_none() {
            let _ = fs::remove_file(cache_path(&self.store, TABLES));
        }
        read
    }

    /// The documents that have a name with this beginning, and those that have these bytes in them, as
    /// all do that name something with this beginning.
    fn find(&self, beginning: &[u8]) -> Vec<Node> {
        let Some(documents) = self.or_forget(self.documents().all()) else {
            return self.nodes().collect();
        };
        let mut places = Vec::new();
        for at in memmem::find_iter(documents, beginning) {
            // Other occurrences may overlap this one, and so begin anywhere in it.
            places.extend(self.place(at)..=self.place(at + beginning.len()));
        }
        let named = self.nodes().enumerate();
        let named = named.filter(|(_, node)| node.object().as_bytes().starts_with(beginning));
        places.extend(named.map(|(place, _)| place));
        places.sort_unstable();
        places.dedup();
        let nodes: Vec<_> = self.nodes().collect();
        let found = places.into_iter();
        found
            .filter_map(|place| nodes.get(place).copied())
            .collect()
    }

    /// The place of the document that has the byte there.
    fn place(&self, at: usize) -> usize {
        let ends = &self.tables.ends;
        ends.partition_point(|end| *end as usize <= at)
    }

    /// All documents, each at its place.
    fn nodes(&self) -> impl Iterator<Item = Node> {
        let Tables {
            runs,
            actions,
            artifacts,
            ..
        } = &self.tables;
        let runs = runs.iter().map(|(run, _)| Node::Run(*run));
        let actions = actions.iter().copied().map(Node::Action);
        let artifacts = artifacts.iter().copied().map(Node::Artifact);
        runs.chain(actions).chain(artifacts)
    }
}

/// An image's tables, but for the hashes of pieces, and the bytes of its documents; nothing if something has no packed form.
fn pack(
    index: &Index,
    listing: Option<ObjectHash>,
    folders: &BTreeMap<ActionKey, Stamp>,
    sizes: &BTreeMap<RunHash, u64>,
) -> Option<(Tables, Vec<u8>)> {
    let runs: Vec<_> = index.run_heads().iter().collect();
    let runs = runs.into_par_iter().map(|(run, head)| {
        // A size is known if every document could be read.
        let sum = || listing.map(|_| index.run_size(*run));
        let size = sizes.get(run).copied().or_else(sum);
        let head = RunHead {
            size,
            ..head.clone()
        };
        (*run, head)
    });
    let runs = runs.collect();
    let mut packing = Packing::default();
    for entry in index.runs().values() {
        packing.add(&PackedRun::from(&entry.run))?;
    }
    for (key, entry) in index.actions().iter() {
        let folder = folders.get(key).cloned();
        packing.add(&PackedAction::new(entry, folder))?;
    }
    for artifact in index.artifacts().values() {
        packing.add(artifact)?;
    }
    let tables = Tables {
        listing,
        runs,
        actions: index.actions().keys().copied().collect(),
        artifacts: index.artifacts().keys().copied().collect(),
        ends: packing.ends,
        pieces: Vec::new(),
    };
    Some((tables, packing.documents))
}

/// Documents that are being packed.
#[derive(Default)]
struct Packing {
    documents: Vec<u8>,
    ends: Vec<u32>,
}

impl Packing {
    /// Adds a document; nothing if it cannot be packed.
    fn add(&mut self, document: &impl Serialize) -> Option<()> {
        self.documents = postcard::to_extend(document, mem::take(&mut self.documents)).ok()?;
        self.ends.push(self.documents.len().try_into().ok()?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occurrence_that_overlaps_another_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let hash = [0x20; 32];
        // The end of the first document looks like the beginning of the hash.
        let documents = [&[1, 1, 0x20][..], &hash, &[0x20, 1, 1]].concat();
        let pieces = DocumentBytes::write(&store, &documents).unwrap();
        let image = Image {
            store,
            tables: Tables {
                artifacts: [1, 2, 3]
                    .map(|it| ArtifactHash::from_bytes([it; 32]))
                    .into(),
                ends: vec![3, 35, 38],
                pieces,
                ..Tables::default()
            },
            documents: OnceLock::new(),
        };
        let second = Node::Artifact(ArtifactHash::from_bytes([2; 32]));
        assert!(image.find(&hash).contains(&second));
        assert_eq!(image.find(&[2; 3]), [second]);
        assert!(image.find(&[7; 3]).is_empty());
    }
}
